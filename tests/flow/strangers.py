"""A stranger who wants their own launch opened in somebody else's browser."""

from __future__ import annotations

import html
import re
from urllib.parse import urlencode

from tests.flow import browser
from tests.flow.frames import School
from tests.flow.world import HTTP

FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
ANSWERS_ALL = """
const said = (words, { data, source }) => source.postMessage(
  { subject: `${data.subject}.response`, message_id: data.message_id, ...words }, "*");
addEventListener("message", (event) => {
  const { subject, key } = event.data;
  heard.push(subject);
  if (subject === "lti.capabilities")
    said({ supported_messages: [{ subject: "lti.get_data", frame: "%(frame)s" }] }, event);
  if (subject === "lti.get_data") said({ key, value: "%(kept)s" }, event);
});
"""


GUESSES = """
addEventListener("message", ({ data, source }) => {
  heard.push(data.message_id);
  const answer = (subject, words) => source.postMessage(
    { subject: `${subject}.response`, message_id: "7-7-7-7", ...words }, "*");
  answer("lti.capabilities", { supported_messages: [{ subject: "lti.get_data" }] });
  for (const wait of [50, 100, 200, 400])
    setTimeout(answer, wait, "lti.get_data", { value: "%s" });
});
"""


def strangers_launch(school: School) -> tuple[dict[str, str], str]:
    """What the LMS posts for another user, not posted yet, and the proof that their storage has."""
    start = school.world.control(school.lms, "launch", link="around", user="student2")
    fields = urlencode(start["fields"])
    headers = {**FORM_TYPE, "Sec-Fetch-Dest": "iframe"}
    login = f"{start['login_url']}?lti_bridge=tried"
    page = HTTP.request("POST", login, body=fields, headers=headers).data.decode()
    onward, kept = (
        html.unescape(re.findall(f'data-{name}="([^"]*)"', page)[0]) for name in ("onward", "value")
    )
    stranger = browser.Browser()
    stranger.get(f"{school.url}/as/student2")
    return dict(stranger.get(onward).form().fields), kept


def opening_page(school: School, fields: dict[str, str], script: str) -> str:
    """A page of a stranger, with a frame of the LMS, that posts a launch in a window of its own."""
    inputs = "".join(f"<input name={name} value='{value}'>" for name, value in fields.items())
    send = "window.open('', 'victim'); document.forms[0].submit()"
    return (
        f"<script>window.heard = []; {script}</script>"
        f"<iframe name=lms src='{school.url}/storage'></iframe>"
        f"<form method=post target=victim action='{school.bridge}/lti/launch'>{inputs}</form>"
        f'<button onclick="{send}">A kitten</button>'
    )
