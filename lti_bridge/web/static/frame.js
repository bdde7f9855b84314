// Answers the browser messages of the LTI tool in this page's frame (Client-Side postMessages 1.0,
// Platform Storage): only those of the frame itself, and only from the tool's registered origins.
(() => {
  const LIFE_MS = 60 * 60 * 1000;
  const MOST_KEYS = 100;
  const LONGEST = 4096; // characters of a key or a value
  const LOWEST = 150; // pixels
  const HIGHEST = 10000;

  const frame = document.getElementById("tool");
  const origins = new Set(frame.dataset.origins.split(" "));
  const kept = new Map(); // origin -> key -> { value, until }

  const refuse = (code, message) => ({ error: { code, message } });

  const store = (origin) => {
    if (!kept.has(origin)) kept.set(origin, new Map());
    const own = kept.get(origin);
    for (const [key, { until }] of own) if (until <= Date.now()) own.delete(key);
    return own;
  };
  const isKey = (key) => typeof key === "string" && key !== "" && key.length <= LONGEST;

  const put = ({ key, value = null }, origin) => {
    if (!isKey(key)) return refuse("bad_request", "key must be a text");
    const own = store(origin);
    if (value === null) {
      own.delete(key);
      return { key, value };
    }
    if (typeof value !== "string") return refuse("bad_request", "value must be a text");
    if (value.length > LONGEST || (!own.has(key) && own.size >= MOST_KEYS)) {
      return refuse("storage_exhaustion", "there is no room for this");
    }
    own.set(key, { value, until: Date.now() + LIFE_MS });
    return { key, value };
  };
  const get = ({ key }, origin) => {
    if (!isKey(key)) return refuse("bad_request", "key must be a text");
    return { key, value: store(origin).get(key)?.value ?? null };
  };
  // So that the course's frame around this page can follow; a height is nobody's secret.
  const tellHeight = () => {
    if (parent === window) return;
    const height = document.documentElement.scrollHeight;
    parent.postMessage({ subject: "lti.frameResize", height }, "*");
  };
  const resize = ({ height }) => {
    const pixels = typeof height === "string" ? Number(height) : height;
    if (!Number.isInteger(pixels)) return refuse("bad_request", "height must be a whole number");
    const clamped = Math.min(Math.max(pixels, LOWEST), HIGHEST);
    frame.style.height = `${clamped}px`;
    tellHeight();
    return { height: clamped };
  };
  const close = () => {
    frame.remove();
    document.getElementById("closed").hidden = false;
    return {};
  };
  const capabilities = () => ({
    supported_messages: Object.keys(answers).map((subject) => ({ subject })),
  });
  const answers = {
    "lti.capabilities": capabilities,
    "lti.put_data": put,
    "lti.get_data": get,
    "lti.frameResize": resize,
    "lti.close": close,
  };
  const needsId = new Set(["lti.put_data", "lti.get_data"]);

  const read = (data) => {
    try {
      return typeof data === "string" ? JSON.parse(data) : data;
    } catch {
      return null; // something else than a message of LTI
    }
  };
  const answer = (message, origin) => {
    if (!Object.hasOwn(answers, message.subject)) {
      return refuse("unsupported_subject", "this is not supported here");
    }
    if (needsId.has(message.subject) && typeof message.message_id !== "string") {
      return refuse("bad_request", "message_id is missing");
    }
    return answers[message.subject](message, origin);
  };

  addEventListener("message", (event) => {
    if (!event.source || event.source !== frame.contentWindow || !origins.has(event.origin)) return;
    const message = read(event.data);
    if (typeof message?.subject !== "string" || !message.subject.startsWith("lti.")) return;
    const source = event.source;
    const reply = { subject: `${message.subject}.response`, ...answer(message, event.origin) };
    if (typeof message.message_id === "string") reply.message_id = message.message_id;
    source.postMessage(reply, event.origin);
  });
})();
