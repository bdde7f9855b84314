// Whether this browser keeps a cookie for us here: in a frame of another site it may not.
  const sticks = () => {
    const attributes = "Path=/; Secure; SameSite=None; Partitioned";
    try {
      document.cookie = `lti-bridge-test=1; ${attributes}`;
      const kept = document.cookie.includes("lti-bridge-test=1");
      document.cookie = `lti-bridge-test=; Max-Age=0; ${attributes}`;
      return kept;
    } catch {
      return false;
    }
  };
