// A LTI 1.3 tool made of ltijs on PostgreSQL: a launch answers with what it was told, and
// POST /score sends a grade for the launch's own line item.
// Usage: node ltijs_tool.js PORT '{"database": {...}, "issuer": ..., ...}'
const { Provider } = require("ltijs");
const Database = require("ltijs-sequelize");

const [port, text] = process.argv.slice(2);
const asked = JSON.parse(text);
const { name, user, password, ...connection } = asked.database;
const plugin = new Database(name, user, password, {
  ...connection,
  dialect: "postgres",
  logging: false,
});

Provider.setup("a-key-of-the-test", { plugin }, {
  appRoute: "/launch",
  loginRoute: "/login",
  keysetRoute: "/keys",
  cookies: { secure: false, sameSite: "Lax" },
});

Provider.onConnect((token, _request, response) =>
  response.json({ ltik: response.locals.ltik, token, context: response.locals.context })
);

Provider.onDeepLinking(async (token, _request, response) => {
  const item = {
    type: "ltiResourceLink",
    url: `http://127.0.0.1:${port}/launch`,
    title: "Chapter of ltijs",
    custom: { chapter: "7", who: "$User.id" },
    lineItem: { scoreMaximum: 5, label: "Chapter of ltijs" },
  };
  response.send(await Provider.DeepLinking.createDeepLinkingForm(token, [item], {}));
});

async function run() {
  await Provider.deploy({ port: Number(port), silent: true });
  Provider.app.post("/score", async (request, response) => {
    try {
      const token = response.locals.token;
      const item = token.platformContext.endpoint.lineitem;
      const score = {
        scoreGiven: Number(request.body.score),
        scoreMaximum: 100,
        activityProgress: "Completed",
        gradingProgress: "FullyGraded",
      };
      const sent = await Provider.Grade.submitScore(token, item, score);
      const seen = await Provider.Grade.getScores(token, item, { userId: token.user });
      response.json({ sent, seen });
    } catch (error) {
      response.status(500).json({ error: String(error), body: error.response && error.response.body });
    }
  });
  await Provider.registerPlatform({
    url: asked.issuer,
    name: "LTI Bridge",
    clientId: asked.client_id,
    authenticationEndpoint: `${asked.issuer}/platform/authorize`,
    accesstokenEndpoint: `${asked.issuer}/platform/token`,
    authConfig: { method: "JWK_SET", key: `${asked.issuer}/platform/jwks` },
  });
  console.log("ready");
}

run();
