// For a browser that keeps no cookie in this frame: keeps the proof of a login with the LMS, or
// reads it back (Client-Side postMessages, Platform Storage), and only then goes on. Whatever does
// not work leads to the button for a window of its own.
(() => {
  // An LMS's page may still be loading, on a slow telephone: waiting costs less than a new window.
  const CAPABILITIES_MS = 2000;
  const DATA_MS = 4000;
  const OLD = "org.imsglobal."; // subjects began so before they were standardised
  const { origin, frame, key, value, onward } = document.currentScript.dataset;
  const above = parent === window ? opener : parent;

  const part = (id) => document.getElementById(id);
  const only = (shown) => {
    for (const id of ["wait", "press", "opened", "over"]) if (part(id)) part(id).hidden = id !== shown;
  };
  const read = (data) => {
    try {
      return typeof data === "string" ? JSON.parse(data) : data;
    } catch {
      return null;
    }
  };

  // The answer to one message; null for silence and for an error.
  const ask = (target, targetOrigin, message, patience = DATA_MS) =>
    new Promise((resolve) => {
      const id = Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join("-");
      const end = (answer) => {
        removeEventListener("message", hear);
        clearTimeout(timer);
        resolve(answer);
      };
      const hear = (event) => {
        if (event.source !== target) return;
        if (targetOrigin !== "*" && event.origin !== targetOrigin) return;
        const answer = read(event.data);
        if (answer?.message_id !== id || answer.subject !== `${message.subject}.response`) return;
        end(answer.error ? null : answer);
      };
      const timer = setTimeout(end, patience, null);
      addEventListener("message", hear);
      try {
        target.postMessage({ ...message, message_id: id }, targetOrigin);
      } catch {
        end(null); // no window of that name
      }
    });

  // By which subject and which frame storage is reached; null when the LMS says that it has none.
  // The question goes to any origin, for it holds nothing: the page around is often another host
  // of the LMS than the one that keeps the data.
  const storage = async (subject) => {
    const asked = ["lti.capabilities", `${OLD}lti.capabilities`].map(async (capabilities) => {
      const answer = await ask(above, "*", { subject: capabilities }, CAPABILITIES_MS);
      if (!Array.isArray(answer?.supported_messages)) throw new Error("no answer");
      return answer.supported_messages;
    });
    const offered = await Promise.any(asked).catch(() => [{ subject }]);
    const found = offered.find((one) => [subject, OLD + subject].includes(one?.subject));
    if (!found) return null;
    const name = typeof found.frame === "string" ? found.frame : frame;
    return { subject: found.subject, target: name === "_parent" ? above : above.frames[name] };
  };
  const keep = async () => {
    const way = await storage("lti.put_data");
    const answer = way && (await ask(way.target, origin, { subject: way.subject, key, value }));
    if (answer?.value !== value) return only("press");
    location.replace(onward);
  };
  const find = async () => {
    const way = await storage("lti.get_data");
    const answer = way && (await ask(way.target, origin, { subject: way.subject, key }));
    if (!answer) return only("press");
    if (typeof answer.value !== "string") return only("over");
    // It proves one launch: nothing is left for a second.
    const forget = { subject: way.subject.replace("get_data", "put_data"), key, value: null };
    ask(way.target, origin, forget);
    const form = part("found");
    form.elements.lti_bridge_kept.value = answer.value;
    form.submit();
  };

  for (const form of document.querySelectorAll("form[data-window]")) {
    form.addEventListener("submit", () => setTimeout(only, 0, "opened"));
  }
  // A page that the browser kept and shows again belongs to a login that is over.
  addEventListener("pageshow", (event) => { if (event.persisted) only("over"); });
  if (!origin) return;
  only("wait");
  (above ? (value ? keep() : find()) : Promise.reject()).catch(() => only("press"));
})();
