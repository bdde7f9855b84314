"""Open edX's LTI consumer as an LMS over HTTP: its own classes decide, this file only carries.

`LtiAdvantageConsumer` makes logins and id_tokens, checks tool assertions and access tokens;
`LtiConsumer1p1` signs launches and `OutcomeService` judges grade messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from flask import Flask, Response, redirect, request

settings.configure(
    PLATFORM_NAME="Open edX",
    DEBUG=False,
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    INSTALLED_APPS=[],
)

from edx_django_utils.cache import RequestCache  # noqa: E402 - needs the settings
from lti_consumer.data import Lti1p3LaunchData  # noqa: E402
from lti_consumer.lti_1p1.consumer import LtiConsumer1p1  # noqa: E402
from lti_consumer.lti_1p3.consumer import LtiAdvantageConsumer  # noqa: E402
from lti_consumer.outcomes import OutcomeService  # noqa: E402
from lti_consumer.utils import get_data_from_cache  # noqa: E402

SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
CLIENT, DEPLOYMENT, KEY, SECRET = "xblock-client", "1", "xblock-key", "xblock-secret"
USER, COURSE, LINK = "edx-user-7", "course-v1:Example+LTI+2026", "block-42"
SOURCED_ID = f"{COURSE}:{LINK}:{USER}"


class XblockLms:
    """The LMS and what it was told: `scores` by AGS, `outcomes` by Basic Outcomes, `links`."""

    def __init__(self, activity: str) -> None:
        self.activity = activity
        self.tool_url = ""  # set before the first launch
        self.url = ""
        self.scores: list[dict[str, Any]] = []
        self.outcomes: list[tuple[str, float]] = []
        self.links: list[dict[str, Any]] = []
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def make_app(self, url: str) -> Flask:
        """The app at `url`."""
        self.url = url
        app = Flask(__name__)
        routes: dict[str, tuple[Callable[[], Any], str]] = {
            "/click13": (self.click13, "GET"),
            "/pick": (self.pick, "GET"),
            "/picked": (self.picked, "POST"),
            "/auth": (self.auth, "GET"),
            "/jwks": (lambda: self.consumer13().get_public_keyset(), "GET"),
            "/token": (self.token, "POST"),
            "/lineitems/1/scores": (self.score, "POST"),
            "/click11": (self.click11, "GET"),
            "/outcomes": (self.outcome, "POST"),
        }
        for path, (answer, method) in routes.items():
            app.add_url_rule(path, path, answer, methods=[method])
        return app

    def consumer13(self) -> Any:
        """The consumer, as the XBlock makes it for every request."""
        RequestCache.clear_all_namespaces()
        consumer = LtiAdvantageConsumer(
            iss=self.url,
            lti_oidc_url=f"{self.tool_url}/lti/login",
            lti_launch_url=f"{self.tool_url}/lti/launch",
            client_id=CLIENT,
            deployment_id=DEPLOYMENT,
            rsa_key=self._pem,
            rsa_key_id="edx",
            redirect_uris=[f"{self.tool_url}/lti/launch"],
            tool_keyset_url=f"{self.tool_url}/lti/jwks",
        )
        consumer.enable_ags(f"{self.url}/lineitems", f"{self.url}/lineitems/1")
        consumer.enable_deep_linking(f"{self.tool_url}/lti/launch", f"{self.url}/picked")
        return consumer

    def pick(self) -> Any:
        """An instructor asks for links: to the tool's login."""
        data = Lti1p3LaunchData(
            user_id=USER,
            user_role="instructor",
            config_id="1",
            resource_link_id=LINK,
            message_type="LtiDeepLinkingRequest",
        )
        return redirect(self.consumer13().prepare_preflight_url(data))

    def picked(self) -> str:
        """The tool's answer, judged by the XBlock's own consumer."""
        self.links += self.consumer13().check_and_decode_deep_linking_token(request.form["JWT"])
        return "added"

    def click13(self) -> Any:
        """A student's click: to the tool's login."""
        data = Lti1p3LaunchData(
            user_id=USER, user_role="student", config_id="1", resource_link_id=LINK
        )
        return redirect(self.consumer13().prepare_preflight_url(data))

    def auth(self) -> str:
        """The authentication request: a form with the id_token."""
        consumer = self.consumer13()
        asked = get_data_from_cache(request.args["lti_message_hint"])
        consumer.set_user_data(USER, asked.user_role, "Example Student", "student@example.edu")
        consumer.set_extra_claim({"given_name": "Example", "family_name": "Student"})
        consumer.set_resource_link_claim(LINK)
        consumer.set_launch_presentation_claim("iframe")
        consumer.set_context_claim(COURSE)
        consumer.set_custom_parameters({"activity": self.activity})
        sent = consumer.generate_launch_request(dict(request.args))
        return _form(request.args["redirect_uri"], sent)

    def token(self) -> dict[str, Any]:
        """The token endpoint."""
        granted: dict[str, Any] = self.consumer13().access_token(dict(request.form))
        return granted

    def score(self) -> Response:
        """A score by AGS, if the token allows it."""
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if not self.consumer13().check_token(token, [SCORE]):
            return Response(status=403)
        self.scores.append(json.loads(request.data))
        return Response(status=200)

    def click11(self) -> str:
        """A student's click by LTI 1.1: a signed form."""
        launch_url = f"{self.tool_url}/lti/launch"
        consumer = LtiConsumer1p1(launch_url, KEY, SECRET)
        consumer.set_user_data(USER, "Student,Learner", SOURCED_ID)
        consumer.set_context_data(COURSE, "A course", "Example")
        consumer.set_outcome_service_url(f"{self.url}/outcomes")
        consumer.set_custom_parameters({"custom_activity": self.activity})
        consumer.set_extra_claims(
            {
                "lis_person_name_given": "Example",
                "lis_person_name_family": "Student",
                "lis_person_contact_email_primary": "student@example.edu",
            }
        )
        return _form(launch_url, consumer.generate_launch_request(LINK))

    def outcome(self) -> Response:
        """A grade message, judged by the XBlock's own service."""
        block = SimpleNamespace(
            accept_grades_past_due=True,
            outcome_service_url=f"{self.url}/outcomes",
            get_lti_consumer=lambda: SimpleNamespace(oauth_secret=SECRET),
            get_lti_1p1_user_from_user_id=lambda user: user if user == USER else None,
            max_score=lambda: 1.0,
            set_user_module_score=lambda user, score, _: self.outcomes.append((user, score)),
        )
        asked = SimpleNamespace(
            body=request.get_data(),
            headers=request.headers,
            content_type=request.content_type,
            method=request.method,
            url=request.url,
        )
        return Response(OutcomeService(block).handle_request(asked), content_type="application/xml")


def _form(action: str, fields: dict[str, Any]) -> str:
    inputs = "".join(
        f'<input name="{escape(name)}" value="{escape(str(value))}">'
        for name, value in fields.items()
    )
    return f'<form action="{escape(action)}" method="post">{inputs}</form>'
