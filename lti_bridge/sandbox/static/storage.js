// Keeps data for the tool, by the tool's origin, while this page is open (LTI Platform Storage).
// With `frame`, another frame keeps it, and this page only says so.
(() => {
  const { tool, frame } = document.currentScript.dataset;
  const MOST = 4096; // characters of all keys and values: what every platform must have room for
  const kept = new Map();
  const capabilities = () => ({
    supported_messages: [
      { subject: "lti.capabilities" },
      { subject: "lti.put_data", frame: frame ?? "_parent" },
      { subject: "lti.get_data", frame: frame ?? "_parent" },
    ],
  });
  const put = ({ key, value }) => {
    kept.delete(key);
    if (value === null) return { key, value };
    if ([...kept].flat().join("").length + key.length + value.length > MOST) {
      return { error: { code: "storage_exhaustion", message: "There is no room for this" } };
    }
    kept.set(key, value);
    return { key, value };
  };
  const get = ({ key }) => ({ key, value: kept.get(key) ?? null });
  const answers = {
    "lti.capabilities": capabilities,
    ...(frame ? {} : { "lti.put_data": put, "lti.get_data": get }),
  };
  addEventListener("message", ({ data, origin, source }) => {
    const answer = origin === tool && Object.hasOwn(answers, data?.subject) && answers[data.subject];
    if (!answer) return;
    const { subject, message_id } = data;
    source.postMessage({ subject: `${subject}.response`, message_id, ...answer(data) }, origin);
  });
})();
