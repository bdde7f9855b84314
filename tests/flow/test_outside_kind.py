"""A kind of provider that another package brings: installed by pip, and through to the grade."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import urllib3
from flask import Flask, Response, jsonify, request

from lti_bridge.sandbox import serving
from tests.flow.loop import LMSS, Loop
from tests.flow.scene import refusal
from tests.flow.world import ACTIVITIES, HTTP, PATIENCE_S, eventually, make_world

HERE = Path(__file__).parent
KEY = "key-of-the-acme-account"
ACME = """
[[connection]]
name = "acme-account"
kind = "acme"
base_url = "{party}"
key = "%s"

[[activity]]
id = "best"
title = "A test of Acme"
connection = "acme-account"
settings = {{ test = "logic" }}
"""


class Provider:
    """Acme: orders, a page for each, and a signed call when it is over."""

    def __init__(self) -> None:
        self.key = KEY
        self.orders: list[dict[str, Any]] = []

    def app(self, url: str) -> Flask:
        """Its web server."""
        app = Flask(__name__)

        @app.post("/orders")
        def order() -> tuple[Response, int]:
            if request.headers.get("X-Key") != self.key:
                return jsonify(error="key"), 401
            self.orders.append(json.loads(request.data))
            number = len(self.orders)
            return jsonify(order=f"A{number}", url=f"{url}/take/{number}"), 201

        @app.get("/take/<int:number>")
        def take(number: int) -> str:
            return f"Test {number} of Acme"

        return app

    def tell(self, number: int, points: int, key: str = KEY) -> int:
        """Call the bridge about an order; the status of its answer."""
        body = json.dumps({"order": f"A{number}", "points": points, "of": 8}).encode()
        signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
        url = self.orders[number - 1]["tell"]
        return HTTP.request("POST", url, body=body, headers={"X-Signature": signature}).status


def install(folder: Path) -> Path:
    """The package in a folder of its own, as pip leaves it there; no index is asked."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    options = ["--no-build-isolation", "--disable-pip-version-check", "--no-compile"]
    source = str(HERE / "acme")
    subprocess.run([*command, *options, "--target", str(folder), source], check=True)
    return folder


def serving_with(packages: Path, config: Path, url: str, log: Path) -> subprocess.Popen[bytes]:
    """`lti-bridge serve`, once it is ready, in a Python that has these packages too."""
    command = [sys.executable, "-m", "lti_bridge", "serve", "--config", str(config)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--port", url.rsplit(":", 1)[1]],
            env={**os.environ, "PYTHONPATH": str(packages)},
            stdout=out,
            stderr=out,
        )
    deadline = time.monotonic() + 2 * PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(urllib3.exceptions.HTTPError):
            if HTTP.request("GET", f"{url}/readyz").status == 200:
                return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def acme() -> Provider:
    return Provider()


@pytest.fixture(scope="module")
def loop(acme: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    """The LMS, a bridge that has the package beside it, and Acme."""
    folder = tmp_path_factory.mktemp("outside")
    database = f"sqlite:///{folder}/bridge.sqlite3"
    world = make_world(folder, database, base=LMSS)
    party = serving.start(acme.app)
    written = world.bridge.config.read_text(encoding="utf-8").replace(ACTIVITIES, "")
    world.bridge.config.write_text(written + (ACME % KEY).format(party=party.url), encoding="utf-8")
    packages, log = install(folder / "packages"), folder / "log.txt"
    process = serving_with(packages, world.bridge.config, world.bridge.url, log)
    yield Loop(world, party, database)
    process.terminate()
    process.wait(timeout=PATIENCE_S)
    world.stop()
    party.stop()


@pytest.mark.parametrize(("user", "link"), [("student1", "best13"), ("student2", "best11")])
def test_a_launch_ends_in_the_gradebook(loop: Loop, acme: Provider, user: str, link: str) -> None:
    before = len(acme.orders)
    page = loop.click(user, link)
    assert page.text == f"Test {before + 1} of Acme"
    assert loop.click(user, link).text == page.text
    assert [one["test"] for one in acme.orders[before:]] == ["logic"]
    assert acme.tell(before + 1, 8, key="another key") == 403
    assert acme.tell(before + 1, 6) == 200
    eventually(lambda: loop.grade(user, link), 0.75)


def test_its_own_errors_are_pages_of_the_bridge(loop: Loop, acme: Provider) -> None:
    acme.key = "the account has another key now"
    page = loop.click("student3", "best13")
    acme.key = KEY
    assert refusal(page)[0] == "acme-key"


def test_without_the_package_its_kind_is_none(
    loop: Loop, check: Callable[[str], tuple[int, str]]
) -> None:
    status, said = check(loop.world.bridge.config.read_text(encoding="utf-8"))
    assert status == 1
    assert "connection 'acme-account': kind: 'acme' is none of demo, " in said
