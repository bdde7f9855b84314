"""Real HTTP sites on loopback ports for the page tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from flask import Flask
from werkzeug.serving import make_server

from lti_bridge.web.rendering import Pages
from lti_bridge.web.routes import make_blueprint


@dataclass(frozen=True)
class Site:
    """A Flask app that is served on its own origin."""

    app: Flask
    origin: str


@pytest.fixture(scope="session")
def pages() -> Pages:
    return Pages()


@pytest.fixture
def site(pages: Pages) -> Iterator[Callable[[], Site]]:
    """Make sites that can also serve the bridge's stylesheet."""
    with ExitStack() as stack:

        def make() -> Site:
            app = Flask("test_site")
            app.register_blueprint(make_blueprint(pages))
            server = make_server("127.0.0.1", 0, app, threaded=True)
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stack.callback(server.server_close)
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return Site(app, f"http://127.0.0.1:{server.port}")

        yield make
