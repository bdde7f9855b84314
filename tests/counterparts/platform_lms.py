"""The package lti1p3platform as an LMS over HTTP: its classes decide, this file only carries."""

from __future__ import annotations

from html import escape
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, Response, redirect, request
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request
from lti1p3platform.score import UpdateScoreStatus
from lti1p3platform.service_connector import AssignmentsGradesService

CLIENT, DEPLOYMENT, USER, COURSE, LINK = "platform-client", "d-1", "user-9", "course-3", "link-5"
LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"
INSTRUCTOR, TEACHER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor", "user-1"


class PlatformLms:
    """The LMS, and the scores and links that it was told."""

    def __init__(self, activity: str) -> None:
        self.activity = activity
        self.tool_url = ""  # set before the first launch
        self.url = ""
        self.scores: list[dict[str, Any]] = []
        self.links: list[dict[str, Any]] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def make_app(self, url: str) -> Flask:
        """The app at `url`."""
        self.url = url
        app = Flask(__name__)
        for path, answer, method in (
            ("/click", self.click, "GET"),
            ("/pick", self.pick, "GET"),
            ("/picked", self.picked, "POST"),
            ("/auth", self.auth, "GET"),
            ("/jwks", self.jwks, "GET"),
            ("/token", self.token, "POST"),
            ("/lineitems/1/scores", self.score, "POST"),
        ):
            app.add_url_rule(path, path, answer, methods=[method])
        return app

    def registration(self) -> Registration:
        """Who we are and which tool we launch."""
        private = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return (
            Registration()
            .set_iss(self.url)
            .set_client_id(CLIENT)
            .set_deployment_id(DEPLOYMENT)
            .set_launch_url(f"{self.tool_url}/lti/launch")
            .set_deeplink_launch_url(f"{self.tool_url}/lti/launch")
            .set_oidc_login_url(f"{self.tool_url}/lti/login")
            .set_tool_key_set_url(f"{self.tool_url}/lti/jwks")
            .set_platform_private_key(private)
            .set_platform_public_key(public.decode())
        )

    def click(self, user: str = USER) -> Any:
        """A click, by default a student's: to the tool's login."""
        login = _Login(None, _Configuration(registration=self.registration()))
        login.set_lti_message_hint()
        return login.initiate_login(user)

    def pick(self) -> Any:
        """An instructor asks for links."""
        return self.click(TEACHER)

    def picked(self) -> str:
        """The tool's answer, judged by the package."""
        configuration = _Configuration(registration=self.registration())
        configuration.get_registration()
        self.links += configuration.validate_deeplinking_resp(dict(request.form))
        return "added"

    def auth(self) -> str:
        """The authentication request: a form with the id_token."""
        launch = _Launch(_asked(), _Configuration(registration=self.registration()))
        user = request.args["login_hint"]
        role = INSTRUCTOR if user == TEACHER else LEARNER
        launch.set_user_data(user, [role], "Example Student", "student@example.edu")
        launch.set_resource_link_claim(LINK, "A link")
        launch.set_launch_context_claim(COURSE, context_title="A course")
        launch.set_custom_parameters_claim({"activity": self.activity})
        launch.set_extra_claims({"given_name": "Example", "family_name": "Student"})
        launch.set_ags(f"{self.url}/lineitems", f"{self.url}/lineitems/1")
        if user == TEACHER:
            launch.set_dl(f"{self.url}/picked", accept_types={"ltiResourceLink"})
        page: str = launch.lti_launch()
        return page

    def jwks(self) -> Any:
        """The platform's key set."""
        configuration = _Configuration(registration=self.registration())
        configuration.get_registration()
        return dict(configuration.get_jwks())

    def token(self) -> Any:
        """The token endpoint."""
        configuration = _Configuration(registration=self.registration())
        configuration.get_registration()
        return dict(configuration.get_access_token(dict(request.form)))

    def score(self) -> Response:
        """A score by AGS."""
        configuration = _Configuration(registration=self.registration())
        configuration.get_registration()
        grades = _Grades(_asked(), configuration, f"{self.url}/lineitems")
        grades.kept = self.scores
        answer = grades.handle_resp(grades.handle_update_score, line_item_id="1")
        return Response(answer.message, answer.code)


class _Configuration(LTI1P3PlatformConfAbstract):
    def init_platform_config(self, **kwargs: Any) -> None:
        self._known = kwargs["registration"]

    def get_registration_by_params(self, **_kwargs: Any) -> Registration:
        return self._known  # type: ignore[no-any-return]


class _Login(OIDCLoginAbstract):
    def set_lti_message_hint(self, **_kwargs: Any) -> None:
        self._lti_message_hint = LINK  # type: ignore[assignment]

    def get_redirect(self, url: str) -> Any:
        return redirect(url)


class _Launch(LTIAdvantageMessageLaunchAbstract):
    def render_launch_form(self, launch_data: Any, **_kwargs: Any) -> str:
        fields = "".join(
            f'<input name="{name}" value="{escape(launch_data[name])}">'
            for name in ("state", "id_token")
        )
        return f'<form action="{escape(launch_data["launch_url"])}" method="post">{fields}</form>'


class _Grades(AssignmentsGradesService):
    kept: list[dict[str, Any]]

    def update_score(self, line_item_id: str, score: Any) -> UpdateScoreStatus:
        self.kept.append({**score, "lineItem": line_item_id})
        return UpdateScoreStatus.SUCCESS

    def _none(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError

    find_lineitems = find_lineitem = create_lineitem = _none
    update_lineitem = delete_lineitem = get_results = _none


class _Asked(Request):
    def build_metadata(self, _request: Any) -> Any:
        return {
            "method": request.method,
            "form_data": dict(request.form),
            "get_data": dict(request.args),
            "headers": request.headers,
            "content_type": request.content_type,
            "path": request.path,
            "json": request.get_json(silent=True),
        }


def _asked() -> _Asked:
    return _Asked(None)
