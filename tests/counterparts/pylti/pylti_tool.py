"""An LTI 1.1 tool made of PyLTI and Flask: shows what it was told, and sends grades.

Usage: python pylti_tool.py PORT KEY SECRET, with the packages of PyLTI on PYTHONPATH. It runs apart
from the tests: one of its packages brings a module named `tests`.
"""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask, Response, jsonify, request
from pylti.flask import lti
from werkzeug.serving import make_server


def make_app(key: str, secret: str) -> Flask:
    """The app; the library checks the launch and keeps its parameters in the session."""
    app = Flask(__name__)
    app.secret_key = "a key of the test"
    app.config["PYLTI_CONFIG"] = {"consumers": {key: {"secret": secret}}}

    def refused(exception: Any = None) -> Response:
        return Response(repr(exception["exception"]), 401)

    @app.post("/launch")
    @lti(request="initial", error=refused, role="any", app=app)
    def launch(lti: Any) -> Response:
        return jsonify(name=lti.name, user=lti.user_id, role=lti.role, told=request.form.to_dict())

    @app.post("/grade")
    @lti(request="session", error=refused, role="student", app=app)
    def grade(lti: Any) -> Response:
        return jsonify(taken=lti.post_grade(request.form["score"]))

    return app


if __name__ == "__main__":
    port, *pair = sys.argv[1:]
    server = make_server("127.0.0.1", int(port), make_app(*pair), threaded=True)
    print("ready", flush=True)
    server.serve_forever()
