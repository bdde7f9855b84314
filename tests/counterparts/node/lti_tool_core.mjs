// An LTI 1.3 tool made of @lti-tool/core: a launch answers with its session, /score sends a grade,
// /members lists the course, and a deep-linking request is answered with a chapter.
// Usage: node lti_tool_core.mjs PORT '{"issuer": ..., "client_id": ..., "deployment_id": ...}'
import { addresses, serve } from "./platform.mjs";

const { LTITool } = await import("@lti-tool/core");

const [port, text] = process.argv.slice(2);
const asked = JSON.parse(text);
const bridge = addresses(asked.issuer);
const here = `http://127.0.0.1:${port}`;
const nonces = new Set();
const sessions = new Map();
const config = {
  iss: asked.issuer,
  clientId: asked.client_id,
  deploymentId: asked.deployment_id,
  authUrl: bridge.authorization,
  tokenUrl: bridge.token,
  jwksUrl: bridge.keys,
};
const storage = {
  storeNonce: async (nonce) => nonces.add(nonce),
  validateNonce: async (nonce) => nonces.delete(nonce),
  getLaunchConfig: async (iss, clientId, deploymentId) =>
    iss === config.iss && clientId === config.clientId && deploymentId === config.deploymentId
      ? config
      : undefined,
  addSession: async (session) => sessions.set(session.user.id, session),
  getSession: async (id) => sessions.get(id),
};
const keyPair = await crypto.subtle.generateKey(
  { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" },
  true,
  ["sign", "verify"],
);
const tool = new LTITool({
  stateSecret: new TextEncoder().encode("a secret of the test, long enough for it"),
  keyPair,
  storage,
});

serve(Number(port), {
  "/login": async (sent) => ({ to: await tool.handleLogin({ ...sent, launchUrl: `${here}/launch` }) }),
  "/launch": async (sent) => {
    const session = await tool.createSession(await tool.verifyLaunch(sent.id_token, sent.state));
    if (!session.isDeepLinkingAvailable) return session;
    const item = {
      type: "ltiResourceLink",
      title: "Chapter of lti-tool",
      url: `${here}/launch`,
      custom: { chapter: "7", who: "$User.id" },
      lineItem: { scoreMaximum: 5, label: "Chapter of lti-tool" },
    };
    return tool.createDeepLinkingResponse(session, [item]);
  },
  "/keys": () => tool.getJWKS(),
  "/score": async (sent) => {
    const session = sessions.get(sent.sub);
    const score = { userId: sent.sub, scoreGiven: Number(sent.score), scoreMaximum: 100 };
    await tool.submitScore(session, { ...score, timestamp: new Date().toISOString(),
      activityProgress: "Completed", gradingProgress: "FullyGraded" });
    return { seen: await tool.getScores(session), item: await tool.getLineItem(session) };
  },
  "/members": async (sent) => ({ members: await tool.getMembers(sessions.get(sent.sub)) }),
});
