"""A key set that never answers holds up nobody, whoever asks for it and however often."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import jwt
import pytest

from tests.flow.crook import KEY, Crook
from tests.flow.rig import Rig
from tests.flow.world import HTTP

STRANGERS = 12  # three for each request that a process works on at a time
HUNG_S = 30  # how long a call may take here: what a held up request costs at the least is a third
TABLES = """
[[lms]]
name = "hangs"
lti = "1.3"
issuer = "{crook}"
client_id = "crook-client"
deployment_ids = "any"
authorization_url = "{crook}/auth"
token_url = "{crook}/token"
jwks_url = "{lms}/jwks"

[[connection]]
name = "hanging-tool"
kind = "lti"
version = "1.3"
login_url = "{tool}/login"
launch_url = "{tool}/launch"
jwks_url = "{tool}/jwks"
client_id = "hanging-tool"
"""


class Silent:
    """A server that takes connections and never says a word."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"


@pytest.fixture(scope="module")
def hanging(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Rig, Crook, Silent, Silent]]:
    """A bridge with one LMS and one tool whose key sets hang, and the LMS that signs launches."""
    folder = tmp_path_factory.mktemp("hanging")
    rig = Rig(folder, f"sqlite:///{folder}/bridge.sqlite3")
    crook, lms, tool = Crook(), Silent(), Silent()
    text = rig.bridge.config.read_text("utf-8").replace("timeout_s = 4", f"timeout_s = {HUNG_S}")
    text += TABLES.format(crook=crook.url, lms=lms.url, tool=tool.url)
    rig.bridge.config.write_text(text, encoding="utf-8")
    rig.bridge.serve()
    with closing(lms.socket), closing(tool.socket):
        yield rig, crook, lms, tool
        rig.stop()
        crook.stop()


def launches(rig: Rig, crook: Crook) -> int:
    """A stranger's launch by the LMS whose keys cannot be had; the status of its answer."""
    return crook.launch(rig.bridge.url, "last", secrets.token_hex(4), {}).status


def asks(rig: Rig, crook: Crook) -> int:
    """A stranger's question for the tool's access token."""
    url, now = f"{rig.bridge.url}/platform/token", int(time.time())
    claims = {"iss": "hanging-tool", "sub": "hanging-tool", "aud": url, "iat": now, "exp": now + 60}
    assertion = jwt.encode(claims, KEY, "RS256", {"kid": secrets.token_hex(4)})
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
        "scope": "any",
    }
    return HTTP.request("POST", url, fields=form, encode_multipart=False).status


@pytest.mark.spec("T13ID-06")
def test_a_key_that_an_lms_uses_since_a_moment_ago_opens_tests(
    hanging: tuple[Rig, Crook, Silent, Silent],
) -> None:
    rig = hanging[0]
    rig.sit("new", "last")
    rig.school.key, rig.school.kid = KEY, "used since a moment ago"
    rig.sit("new", "last")


@pytest.mark.spec("SECP-14")
@pytest.mark.parametrize(("does", "refused"), [(launches, {502}), (asks, {400, 401})])
def test_strangers_at_a_hanging_key_set_freeze_nobody(
    hanging: tuple[Rig, Crook, Silent, Silent],
    does: Callable[[Rig, Crook], int],
    refused: set[int],
) -> None:
    rig, crook, lms, tool = hanging
    rig.sit("new", "last")  # the other LMS's keys are there
    with ThreadPoolExecutor(STRANGERS) as pool:
        answers = [pool.submit(does, rig, crook) for _ in range(STRANGERS)]
        asked = (lms if does is launches else tool).socket
        asked.settimeout(HUNG_S)
        with closing(asked.accept()[0]):
            begun = time.monotonic()
            for _ in range(3):
                rig.sit("new", "last")
            took = time.monotonic() - begun
            assert {answer.result(HUNG_S) for answer in answers} <= refused
        assert took < HUNG_S / 3, took
