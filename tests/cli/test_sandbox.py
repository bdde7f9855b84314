"""`lti-bridge sandbox`: the pretend parties alone, and the commands of their README."""

from __future__ import annotations

import json
import random
import re
import shlex
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from lti_bridge import demo
from lti_bridge.cli import main
from lti_bridge.sandbox.parties import Place, course, parties
from tests.flow.forks import Forked, starter
from tests.flow.world import HTTP, PATIENCE_S, eventually, free_port

README = Path(demo.__file__).parent / "sandbox" / "README.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
LINES = [line for block in BLOCKS for line in block.splitlines()]
WRITTEN_PORT = 9000


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[Forked, Any]]:
    """The command with these options, once it has printed its JSON."""
    log = folder / "said.txt"
    log.touch()
    process = starter().start(["sandbox", "--json", *options], log)
    try:
        eventually(lambda: process.poll() is not None or log.read_text().endswith("}\n"), True)
        yield process, json.loads(log.read_text())
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def some_ports(count: int) -> int:
    """The first of so many free ports in a row, where nothing else of the tests looks."""
    while True:
        first = random.randrange(32_000, 32_700)
        probes = [socket.socket() for _ in range(count)]
        try:
            for number, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + number))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return first


def curl(line: str, base: int) -> Any:
    """What a line with curl of the README does; the answer's JSON."""
    words = shlex.split(line)[1:]
    sent = json.loads(words[words.index("--json") + 1]) if "--json" in words else None
    for number in range(9):
        words[-1] = words[-1].replace(f":{WRITTEN_PORT + number}/", f":{base + number}/")
    answer = HTTP.request("GET" if sent is None else "POST", words[-1], json=sent)
    assert answer.status == 200, (line, answer.data)
    return answer.json()


def test_everybody_is_there_until_they_are_stopped(tmp_path: Path) -> None:
    with running(tmp_path) as (process, told):
        assert list(told) == list(parties())
        urls = [party["url"] for party in told.values()]
        assert len(set(urls)) == len(urls)
        for name, party in told.items():
            assert HTTP.request("GET", f"{party['url']}/sandbox-static/autopost.js").status == 200
            assert party["what"].endswith(".")
            assert party["keys"], name
        assert "Digital Skills" in HTTP.request("GET", told["lms"]["url"]).data.decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 0
    assert "Stopping." in (tmp_path / "said.txt").read_text()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(urls[0].rpartition(":")[2]))) != 0


@pytest.mark.parametrize("name", parties())
def test_what_is_printed_is_what_the_demo_configures(name: str) -> None:
    """The demo's tests prove that its configuration is right."""
    urls = {one: f"http://127.0.0.1:{8001 + number}" for number, one in enumerate(parties())}
    urls["bridge"] = "http://127.0.0.1:8000"
    text = demo.configuration(urls, "data")
    place = Place(urls, urls["bridge"], links=course(parties()))
    keys = parties()[name].keys(urls[name], place)
    written = {key: value for key, value in keys.items() if f"\n{key.partition(' ')[0]} = " in text}
    assert written
    for key, value in written.items():
        assert f'"{value}"' in text, key


def test_for_people_it_is_a_list(tmp_path: Path) -> None:
    log = tmp_path / "said.txt"
    log.touch()
    process = starter().start(["sandbox", "--only", "mettl , demo"], log)
    eventually(lambda: process.poll() is not None or "Ctrl-C" in log.read_text(), True)
    process.terminate()
    assert process.wait(timeout=PATIENCE_S) == 0
    said = log.read_text()
    assert re.findall(r"^(\S+) +http://127.0.0.1:\d+$", said, re.M) == ["mettl", "demo"]
    assert re.search(r"^ +api_key +sandbox-demo-key$", said, re.M)
    assert re.search(r"^Mettl's desk: .*\n +http://127.0.0.1:\d+/staff$", said, re.M)
    assert "They know http://127.0.0.1:8000." in said


def test_a_used_port_is_refused_before_anything_starts() -> None:
    first = some_ports(2)
    with socket.create_server(("127.0.0.1", first + 1)):
        options = ["--only", "demo,lms", "--port", str(first)]
        ran = CliRunner().invoke(main, ["sandbox", *options])
    assert ran.exit_code == 1
    assert f"Port {first + 1} of 127.0.0.1 is in use" in ran.output
    assert str(first) not in ran.output.replace(str(first + 1), "")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", first)) != 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "lms,canvas"], "canvas: there are lms, isograd, mettl"),
        (["--port", "65530"], "there are no 8 ports from there on"),
        (["--port", "99999"], "99999 is not in the range"),
        (["--bridge", "http://bridge.example.edu"], "must start with https://"),
        (["--bridge", "127.0.0.1:8000"], "must be an address like"),
        (["--launch-url", "ftp://tool.example.org"], "must be an address like"),
        (["--custom", "level"], "level: write NAME=VALUE"),
    ],
)
def test_options_that_make_no_sense_are_named(options: list[str], said: str) -> None:
    ran = CliRunner().invoke(main, ["sandbox", *options])
    assert ran.exit_code == 2
    assert said in " ".join(ran.output.split())


def test_every_command_of_the_readme_is_tried() -> None:
    assert {line.split()[0] for line in LINES} == {"lti-bridge", "curl"}
    assert [line.split()[1] for line in LINES if line.startswith("lti-bridge")] == ["sandbox"] * 3


@pytest.mark.parametrize("number", range(3))
def test_the_commands_of_the_readme_work(number: int, tmp_path: Path) -> None:
    """Each start, and the lines with curl until the next one."""
    starts = [place for place, line in enumerate(LINES) if line.startswith("lti-bridge")]
    until = [*starts, len(LINES)][number + 1]
    command, *curls = LINES[starts[number] : until]
    options = shlex.split(command)[2:]
    base = some_ports(3)
    options[options.index("--port") + 1] = str(base)
    with running(tmp_path, *options) as (_, told):
        assert told["lms"]["url"] == f"http://127.0.0.1:{base}"
        answers = [curl(line, base) for line in curls]
        if "--launch-url" in options:
            sent = curl(
                f"""curl --json '{{"link": "link-1.1", "user": "student1"}}' """
                f"http://127.0.0.1:{WRITTEN_PORT}/control/launch",
                base,
            )
            assert sent["action"] == "http://127.0.0.1:3000/launch"
            assert sent["fields"]["custom_level"] == "easy"
        elif curls[1:]:
            assert list(told) == ["lms", "isograd", "demo"]
            assert answers[0]["action"] == "http://127.0.0.1:8000/lti/launch"
            assert HTTP.request("POST", f"{told['demo']['url']}/sessions").status == 401  # cleared
        else:
            assert answers[0]["url"].startswith("http://127.0.0.1:3000/register?openid_config")


def test_a_tool_of_its_own_addresses_is_launched_by_both_versions(tmp_path: Path) -> None:
    tool = f"http://127.0.0.1:{free_port()}"
    addresses = ["--launch-url", f"{tool}/in?a=1", "--login-url", f"{tool}/log-in"]
    with running(tmp_path, "--only", "lms", *addresses) as (_, told):
        url = f"{told['lms']['url']}/control/launch"
        old = HTTP.request("POST", url, json={"link": "link-1.1", "user": "student1"}).json()
        new = HTTP.request("POST", url, json={"link": "link-1.3", "user": "student1"}).json()
    assert old["action"] == f"{tool}/in?a=1"
    assert new["login_url"] == f"{tool}/log-in"
    assert new["fields"]["target_link_uri"] == f"{tool}/in?a=1"


def test_a_tool_that_registers_itself_is_launched_at_its_addresses(tmp_path: Path) -> None:
    tool = f"http://127.0.0.1:{free_port()}"
    with running(tmp_path, "--only", "lms") as (_, told):
        lms = told["lms"]["url"]
        asked = {"url": f"{tool}/register"}
        opened = HTTP.request("POST", f"{lms}/control/registration", json=asked).json()["url"]
        token = parse_qs(urlsplit(opened).query)["registration_token"][0]
        answer = HTTP.request(
            "POST",
            f"{lms}/lti/registration",
            json=registration(tool),
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status == 200, answer.data
        start = HTTP.request(
            "POST", f"{lms}/control/launch", json={"link": "link-1.3", "user": "student1"}
        ).json()
        assert start["login_url"] == f"{tool}/log-in"
        assert start["fields"]["target_link_uri"] == f"{tool}/in"
        assert start["fields"]["client_id"] == answer.json()["client_id"]
        request = {
            **{name: start["fields"][name] for name in ("login_hint", "lti_message_hint")},
            "client_id": start["fields"]["client_id"],
            "redirect_uri": f"{tool}/back",
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "nonce": "n",
            "state": "s",
            "prompt": "none",
        }
        cookie = {"Cookie": "{name}={value}".format(**start["cookie"])}
        for redirect_uri, status in ((f"{tool}/elsewhere", 400), (f"{tool}/back", 200)):
            sent = {**request, "redirect_uri": redirect_uri}
            page = HTTP.request("GET", f"{lms}/lti/auth", fields=sent, headers=cookie)
            assert page.status == status
    assert f'action="{tool}/back"' in page.data.decode()
    assert "id_token" in page.data.decode()


def registration(tool: str) -> dict[str, Any]:
    """What a tool with addresses of its own registers."""
    return {
        "application_type": "web",
        "client_name": "A tool",
        "grant_types": ["implicit", "client_credentials"],
        "response_types": ["id_token"],
        "redirect_uris": [f"{tool}/back"],
        "initiate_login_uri": f"{tool}/log-in",
        "jwks_uri": f"{tool}/keys",
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "openid",
        "https://purl.imsglobal.org/spec/lti-tool-configuration": {
            "domain": urlsplit(tool).netloc,
            "target_link_uri": f"{tool}/in",
        },
    }
