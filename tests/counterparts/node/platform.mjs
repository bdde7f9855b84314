// What the LTI 1.3 tools of this folder share: a small HTTP server, and the bridge's addresses.
import { createServer } from "node:http";
import { register } from "node:module";

// Some libraries are written for bundlers: their modules name each other without `.js`, and do not
// say that they are modules. Import them dynamically, after this file.
const hook = `export async function resolve(name, context, next) {
  const found = await next(name, context).catch((error) => {
    if (!name.startsWith(".")) throw error;
    return next(name + ".js", context).catch(() => next(name + "/index.js", context));
  });
  if (found.url.endsWith(".json")) {
    return { ...found, format: "json", importAttributes: { type: "json" } };
  }
  return found.url.includes("/@atomicjolt/") ? { ...found, format: "module" } : found;
}`;
register("data:text/javascript," + encodeURIComponent(hook));

export const addresses = (issuer) => ({
  authorization: `${issuer}/platform/authorize`,
  token: `${issuer}/platform/token`,
  keys: `${issuer}/platform/jwks`,
});

// `routes` are functions by path; each gets the parameters and answers with an object (as JSON), a
// text (as a page) or {to: address} (a redirect).
export function serve(port, routes) {
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, `http://127.0.0.1:${port}`);
    let body = "";
    for await (const piece of request) body += piece;
    const asked = Object.fromEntries([...searchParams, ...new URLSearchParams(body)]);
    try {
      const answer = await routes[pathname](asked);
      if (typeof answer === "string") {
        response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(answer);
      } else if (answer.to) {
        response.writeHead(302, { Location: answer.to }).end();
      } else {
        response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
      }
    } catch (error) {
      response.writeHead(500, { "Content-Type": "text/plain" }).end(String(error));
    }
  });
  server.listen(port, "127.0.0.1", () => console.log("ready"));
}
