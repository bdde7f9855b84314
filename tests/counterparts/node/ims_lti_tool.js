// A LTI 1.1 tool made of ims-lti: verifies a launch, shows what it was told, sends a grade.
// Usage: node ims_lti_tool.js PORT KEY SECRET
const http = require("http");
const querystring = require("querystring");
const lti = require("ims-lti");

const [port, key, secret] = process.argv.slice(2);
const launches = new Map();

function read(request) {
  return new Promise((resolve) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => resolve(querystring.parse(Buffer.concat(parts).toString("utf8"))));
  });
}

function answer(response, status, told) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(told));
}

function launch(request, response, body) {
  const provider = new lti.Provider(key, secret);
  provider.valid_request(request, body, (error, valid) => {
    if (!valid) return answer(response, 401, { error: String(error) });
    launches.set(body.user_id, provider);
    answer(response, 200, body);
  });
}

function grade(response, body) {
  const service = launches.get(body.user_id).outcome_service;
  const sent = (error, result) => answer(response, 200, { error: error && String(error), result });
  if (body.action === "read") return service.send_read_result(sent);
  if (body.action === "delete") return service.send_delete_result(sent);
  service.send_replace_result(Number(body.score), sent);
}

http
  .createServer(async (request, response) => {
    const body = await read(request);
    if (request.url === "/launch") return launch(request, response, body);
    if (request.url === "/grade") return grade(response, body);
    answer(response, 404, {});
  })
  .listen(Number(port), "127.0.0.1", () => console.log("ready"));
