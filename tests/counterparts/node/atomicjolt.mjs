// An LTI 1.3 tool made of @atomicjolt/lti-server: a launch answers with its claims, /score sends a
// grade and makes a line item, /members lists the course. It has no deep linking.
// Usage: node atomicjolt.mjs PORT '{"issuer": ..., "client_id": ..., "deployment_id": ...}'
import { addresses, serve } from "./platform.mjs";

const lti = await import("@atomicjolt/lti-server");

const [port, text] = process.argv.slice(2);
const asked = JSON.parse(text);
const bridge = addresses(asked.issuer);
const keys = { main: await lti.generateKeySet() };
const states = new Map();
const launches = new Map();
const SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/";
const MEMBERS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly";

async function token(scopes) {
  const claims = { iss: asked.client_id, sub: asked.client_id, aud: bridge.token, jti: crypto.randomUUID() };
  const { importPKCS8 } = await import("jose");
  const key = await importPKCS8(keys.main.privateKey, lti.ALGORITHM);
  const signed = await lti.signJwt(claims, key, "2m", "main");
  return (await lti.requestServiceToken(bridge.token, signed, scopes)).access_token;
}

serve(Number(port), {
  "/login": (sent) => {
    const state = lti.buildOIDCState();
    states.set(state.state, { ...state, target: sent.target_link_uri });
    const to = lti.buildResponse(bridge.authorization, state.state, sent.client_id, sent.login_hint,
      sent.lti_message_hint, state.nonce, `http://127.0.0.1:${port}/launch`);
    return { to: to.toString() };
  },
  "/launch": async (sent) => {
    const known = await lti.verifyJwtUsingJwks(await lti.fetchRemoteJwks(bridge.keys), sent.id_token);
    if (!known.verified) throw new Error(known.error);
    const claims = known.token.payload;
    const state = states.get(sent.state);
    states.delete(sent.state);
    await lti.validateNonce(state, claims);
    const wrong = lti.validateIdTokenContents(claims, state.target, true);
    if (wrong.length) throw new Error(wrong.join("; "));
    launches.set(claims.sub, new lti.IdTokenWrapper(claims));
    return claims;
  },
  "/keys": () => lti.keySetsToJwks(keys),
  "/score": async (sent) => {
    const launch = launches.get(sent.sub);
    const access = await token(`${SCOPE}score ${SCOPE}lineitem ${SCOPE}result.readonly`);
    const score = { userId: sent.sub, scoreGiven: Number(sent.score), scoreMaximum: 100,
      timestamp: new Date().toISOString(), activityProgress: "Completed", gradingProgress: "FullyGraded" };
    // what it sends when it makes the score itself, which no platform has to take
    const own = await lti.sendScore(access, launch.lineItemUrl, lti.createScore(sent.sub, 1, 1, ""))
      .catch(String);
    await lti.sendScore(access, launch.lineItemUrl, score).catch(String); // wants a body in the answer
    const made = await lti.createLineItem(access, launch.lineItemsUrl,
      { label: "Of atomicjolt", scoreMaximum: 5, resourceId: "r-1", tag: "t" }).catch(String);
    return {
      own,
      made,
      seen: await lti.listResults(access, launch.lineItemUrl, {}),
      items: await lti.listLineItems(access, launch.lineItemsUrl, {}),
    };
  },
  "/members": async (sent) => {
    const url = launches.get(sent.sub).rawToken
      ["https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"].context_memberships_url;
    return (await lti.fetchMemberships(await token(MEMBERS), url)).result;
  },
});
