"""An LTI 1.3 tool made of PyLTI1p3 and Flask: shows what it was told, lets choose, sends grades."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, Response, jsonify, request
from pylti1p3.contrib.flask import FlaskMessageLaunch, FlaskOIDCLogin, FlaskRequest
from pylti1p3.deep_link_resource import DeepLinkResource
from pylti1p3.grade import Grade
from pylti1p3.lineitem import LineItem
from pylti1p3.tool_config import ToolConfDict

CLIENT, DEPLOYMENT = "pylti1p3-client", "pylti1p3-deployment"


class PyLti1p3Tool:
    """The tool; `issuer` is set before the first launch."""

    def __init__(self) -> None:
        self.issuer = ""
        self.url = ""
        self.launches: dict[str, Any] = {}
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()
        self._public = (
            key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )

    def make_app(self, url: str) -> Flask:
        """The app at `url`."""
        self.url = url
        app = Flask(__name__)
        app.secret_key = "a key of the test"
        app.add_url_rule("/login", "login", self.login, methods=["GET", "POST"])
        app.add_url_rule("/launch", "launch", self.launch, methods=["POST"])
        app.add_url_rule("/keys", "keys", lambda: jsonify(self.configuration().get_jwks()))
        app.add_url_rule("/score", "score", self.score, methods=["POST"])
        return app

    def configuration(self) -> ToolConfDict:
        """One platform: the bridge."""
        found = ToolConfDict(
            {
                self.issuer: [
                    {
                        "default": True,
                        "client_id": CLIENT,
                        "auth_login_url": f"{self.issuer}/platform/authorize",
                        "auth_token_url": f"{self.issuer}/platform/token",
                        "key_set_url": f"{self.issuer}/platform/jwks",
                        "key_set": None,
                        "deployment_ids": [DEPLOYMENT],
                    }
                ]
            }
        )
        found.set_private_key(self.issuer, self._private, client_id=CLIENT)
        found.set_public_key(self.issuer, self._public, client_id=CLIENT)
        return found

    def login(self) -> Any:
        """Login initiation: on to the platform."""
        login = FlaskOIDCLogin(FlaskRequest(), self.configuration())
        return login.redirect(request.values["target_link_uri"])

    def launch(self) -> Response:
        """The id_token, checked by the library."""
        launch = FlaskMessageLaunch(FlaskRequest(), self.configuration())
        claims = launch.get_launch_data()
        if launch.is_deep_link_launch():
            item = DeepLinkResource().set_url(f"{self.url.rstrip('/')}/launch?chapter=7")
            item.set_title("Chapter of PyLTI1p3")
            item.set_custom_params({"chapter": "7", "who": "$User.id"})
            item.set_lineitem(LineItem().set_score_maximum(5).set_label("Chapter of PyLTI1p3"))
            return Response(launch.get_deep_link().output_response_form([item]))
        self.launches[claims["sub"]] = launch
        return jsonify(claims)

    def score(self) -> Response:
        """A grade for the launch's own line item, and what its results say then."""
        grades = self.launches[request.form["sub"]].get_ags()
        grade = Grade()
        grade.set_score_given(float(request.form["score"])).set_score_maximum(100)
        grade.set_timestamp(datetime.now(UTC).isoformat(timespec="milliseconds"))
        grade.set_activity_progress("Completed").set_grading_progress("FullyGraded")
        grade.set_user_id(request.form["sub"])
        grades.put_grade(grade)
        found = grades.get_lineitem()
        return jsonify({"item": found.get_value() and found.get_id(), "seen": grades.get_grades()})
