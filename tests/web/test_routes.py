"""The front page, the stylesheet and the icon, inside an app with Flask's own static route."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_bridge.web.rendering import Pages
from lti_bridge.web.routes import make_blueprint
from lti_bridge.web.stylesheet import load_stylesheet


@pytest.fixture
def client(pages: Pages) -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(make_blueprint(pages))
    return app.test_client()


def test_the_stylesheet_is_kept_as_long_as_it_does_not_change(client: FlaskClient) -> None:
    path = load_stylesheet().path
    assert path in client.get("/").text
    response = client.get(path)
    assert response.status_code == 200
    assert response.content_type == "text/css; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.cache_control.immutable
    assert response.cache_control.max_age == 31536000


def test_an_older_page_gets_the_stylesheet_of_now(client: FlaskClient) -> None:
    response = client.get("/static/bridge/0000000000000000/bridge.css")
    assert response.data == load_stylesheet().body
    assert response.headers["Cache-Control"] == "no-cache"


def test_there_are_no_other_files(client: FlaskClient) -> None:
    assert client.get(f"/static/bridge/{load_stylesheet().stamp}/page.html").status_code == 404


def test_the_icon_is_empty(client: FlaskClient) -> None:
    response = client.get("/favicon.ico")
    assert (response.status_code, response.data) == (204, b"")


def test_the_front_page_links_the_public_documents(client: FlaskClient) -> None:
    page = client.get("/").text
    assert 'href="/lti/jwks"' in page
