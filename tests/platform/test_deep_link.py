"""The answer of a tool at which an instructor chose: who is believed, and what is taken."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import create_engine, text

from lti_bridge.assembly.web import create_app
from lti_bridge.lti import oauth1
from lti_bridge.settings import parse
from lti_bridge.store.engine import Database
from tests.flow.browser import Page
from tests.flow.campus11 import Campus
from tests.platform.bridge13 import PUBLIC, TOOL, Bridge13, answer, connection

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
PATH = "/platform/deep-link"
KEY, OTHER = (generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
LINK = {"type": "ltiResourceLink", "title": "Chapter", "url": f"{TOOL}/picky/launch?c=1"}
LINE_ITEM = {"scoreMaximum": 40, "resourceId": "r", "tag": "t"}


def pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def picky(name: str, key: RSAPrivateKey) -> dict[str, Any]:
    more = {"jwks_url": None, "public_key": pem(key), "deep_link_url": f"{TOOL}/{name}"}
    return connection(name, **more)


@dataclass
class Desk:
    """An instructor's browser in front of a bridge with two tools of each version."""

    bridge: Bridge13
    database: str

    def another(self) -> Desk:
        return Desk(Bridge13(self.bridge.client.application.test_client()), self.database)

    def leave(self, tool: str = "picky", dest: str = "") -> Page:
        """Open a link without an activity and go to the tool; `dest`: see Bridge13.post."""
        campus = Campus(f"{PUBLIC}/lti/launch", "key", "secret")
        teacher: dict[str, str | None] = {"roles": "Instructor", "custom_activity": None}
        fields = campus.fields(user_id="tess", lis_result_sourcedid=None, **teacher)
        page = self.bridge.post("/lti/launch", campus.signed(fields))
        token = dict(page.form().fields)["token"]
        sent = {"token": token, "do": "tool", "connection": tool}
        page = self.bridge.post("/course/place", sent, dest)
        assert page.status == 200, page.text
        return page

    def ask(self, tool: str = "picky") -> str:
        """The data that a tool of LTI 1.3 has to send back."""
        login = dict(self.leave(tool).form().fields)
        token = answer(self.bridge.authorize(login))["id_token"]
        claims = self.bridge.verified(token, login["client_id"])
        return str(claims[f"{DL}deep_linking_settings"]["data"])

    def send(self, token: str) -> Page:
        return self.bridge.post(PATH, {"JWT": token})

    def stored(self) -> int:
        """How many activities and links there are."""
        engine = create_engine(self.database)
        with engine.connect() as link:
            count = "SELECT (SELECT count(*) FROM activities) + (SELECT count(*) FROM links)"
            found = link.execute(text(count)).scalar_one()
        engine.dispose()
        return int(found)

    def tokens(self) -> set[str]:
        """The tokens that the database holds."""
        engine = create_engine(self.database)
        with engine.connect() as link:
            query = "SELECT token FROM held_launches UNION SELECT token FROM tool_choices"
            found = set(link.execute(text(query)).scalars())
        engine.dispose()
        return found

    def activity(self) -> Any:
        """The newest activity's settings."""
        engine = create_engine(self.database)
        with engine.connect() as link:
            row = link.execute(
                text("SELECT * FROM activities ORDER BY created_at DESC, id LIMIT 1")
            ).mappings()
            found = dict(row.one())
        engine.dispose()
        return found


@pytest.fixture(scope="module")
def one_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder: Path = tmp_path_factory.mktemp("desk")
    database = f"sqlite:///{folder}/b.sqlite3"
    tool11 = {"kind": "lti", "consumer_key": "tool-key", "deep_link_url": f"{TOOL}/old/choose"}
    made = parse(
        {
            "bridge": {
                "public_url": PUBLIC,
                "database_url": database,
                "queue_url": f"sqlite:///{folder}/q.sqlite3",
                "keys_dir": str(folder / "keys"),
            },
            "lms": [{"name": "c", "lti": "1.1", "consumer_key": "key", "shared_secret": "secret"}],
            "connection": [
                picky("picky", KEY),
                picky("other", OTHER),
                {"name": "old", "launch_url": f"{TOOL}/old", "shared_secret": "s1", **tool11},
                {"name": "old2", "launch_url": f"{TOOL}/old", "shared_secret": "s2", **tool11},
                {"name": "sold", "launch_url": f"{TOOL}/old", "shared_secret": "of sold", **tool11}
                | {"kind": "isograd", "route": "lti-1.1"},
            ],
        },
        "test",
    )
    schema = Database(database)
    schema.migrate()
    schema.close()
    return Desk(Bridge13(create_app(made).test_client()), database)


@pytest.fixture
def desk(one_desk: Desk) -> Desk:
    return one_desk.another()


def claims(data: str, *items: Any, **changes: Any) -> dict[str, Any]:
    """The claims of a good answer; None leaves one out."""
    now = int(time.time())
    found = {
        "iss": "client-of-picky",
        "aud": PUBLIC,
        "iat": now,
        "exp": now + 300,
        "nonce": f"nonce-{time.monotonic_ns()}",
        f"{LTI}message_type": "LtiDeepLinkingResponse",
        f"{LTI}version": "1.3.0",
        f"{LTI}deployment_id": "deployment of picky",
        f"{DL}data": data,
        f"{DL}content_items": list(items),
        **changes,
    }
    return {name: value for name, value in found.items() if value is not None}


def signed(told: dict[str, Any], key: Any = KEY, alg: str = "RS256", **headers: Any) -> str:
    return jwt.encode(told, key, alg, {"kid": "pem", **headers})


def refused(page: Page) -> bool:
    return page.status == 400 and "could not be taken over" in page.text


@pytest.mark.spec("P13DL-12", "P13DL-13", "P13DL-03", "P13DL-07")
def test_a_good_answer_becomes_an_activity(desk: Desk) -> None:
    item = {**LINK, "custom": {"a": "$Context.title"}, "lineItem": LINE_ITEM, "x": [1]}
    page = desk.send(signed(claims(desk.ask(), item)))
    assert page.status == 200, page.text
    found = desk.activity()
    assert (found["title"], found["maximum"]) == ("Chapter", "40")
    assert json.loads(found["settings"]) == {
        "custom": {"a": "$Context.title"},
        "url": LINK["url"],
        "resource_id": "r",
        "tag": "t",
        "score_maximum": "40",
    }


WRONG: dict[str, Callable[[str], str]] = {
    "another key": lambda data: signed(claims(data, LINK), OTHER),
    "no signature": lambda data: jwt.encode(claims(data, LINK), None, "none", {"kid": "pem"}),
    "HS256": lambda data: signed(claims(data, LINK), "x" * 40, "HS256"),
    "RS512": lambda data: signed(claims(data, LINK), KEY, "RS512"),
    "jku": lambda data: signed(claims(data, LINK), jku="https://evil.example.net/jwks"),
    "unknown iss": lambda data: signed(claims(data, LINK, iss="nobody")),
    "our own iss": lambda data: signed(claims(data, LINK, iss=PUBLIC)),
    "no iss": lambda data: signed(claims(data, LINK, iss=None)),
    "another aud": lambda data: signed(claims(data, LINK, aud="https://evil.example.net")),
    "one more aud": lambda data: signed(claims(data, LINK, aud=[PUBLIC, "x"], azp=PUBLIC)),
    "no aud": lambda data: signed(claims(data, LINK, aud=[])),
    "foreign azp": lambda data: signed(claims(data, LINK, azp="x")),
    "two aud, no azp": lambda data: signed(claims(data, LINK, aud=[PUBLIC, PUBLIC])),
    "expired": lambda data: signed(claims(data, LINK, exp=int(time.time()) - 100)),
    "no exp": lambda data: signed(claims(data, LINK, exp=None)),
    "from the future": lambda data: signed(claims(data, LINK, iat=int(time.time()) + 1000)),
    "too old": lambda data: signed(claims(data, LINK, iat=int(time.time()) - 9000)),
    "no nonce": lambda data: signed(claims(data, LINK, nonce=None)),
    "nonce is no text": lambda data: signed(claims(data, LINK, nonce=7)),
    "a launch": lambda data: signed(
        claims(data, LINK, **{f"{LTI}message_type": "LtiResourceLinkRequest"})
    ),
    "no message": lambda data: signed(claims(data, LINK, **{f"{LTI}message_type": None})),
    "version": lambda data: signed(claims(data, LINK, **{f"{LTI}version": "1.3"})),
    "deployment": lambda data: signed(claims(data, LINK, **{f"{LTI}deployment_id": "1"})),
    "no deployment": lambda data: signed(claims(data, LINK, **{f"{LTI}deployment_id": None})),
    "other data": lambda data: signed(claims(data + "x", LINK)),
    "no data": lambda data: signed(claims(data, LINK, **{f"{DL}data": None})),
    "data is no text": lambda data: signed(claims(data, LINK, **{f"{DL}data": [data]})),
    "another tool": lambda data: signed(
        claims(data, LINK, iss="client-of-other", **{f"{LTI}deployment_id": "deployment of other"}),
        OTHER,
    ),
    "no token": lambda data: "no.token",
    "empty": lambda data: "",
}


@pytest.mark.spec(
    "P13DL-03", "P13DL-04", "P13DL-05", "P13DL-06", "P13DL-07", "SECP-09", "SECP-11", "SECP-16"
)
@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_that_is_not_the_tools_own_is_refused_and_spoils_nothing(
    desk: Desk, wrong: str
) -> None:
    data, before = desk.ask(), desk.stored()
    assert refused(desk.send(WRONG[wrong](data))), wrong
    assert desk.stored() == before
    assert desk.send(signed(claims(data, LINK))).status == 200


@pytest.mark.spec("P13DL-05", "AMB-07")
def test_azp_may_be_the_tool_or_the_bridge(desk: Desk) -> None:
    assert desk.send(signed(claims(desk.ask(), LINK, azp="client-of-picky"))).status == 200
    both = claims(desk.ask(), LINK, aud=[PUBLIC, PUBLIC], azp=PUBLIC)
    assert desk.send(signed(both)).status == 200


@pytest.mark.parametrize("exp", [10**12, 10**18, 1e300])
def test_a_time_of_far_ahead_makes_an_answer_good_for_no_longer(desk: Desk, exp: float) -> None:
    said = {f"{DL}msg": "half a character: \ud800"}
    token = signed(claims(desk.ask(), LINK, exp=exp, **said))
    assert desk.send(token).status == 200
    assert refused(desk.send(token))
    old = claims(desk.ask(), LINK, exp=exp, iat=int(time.time()) - 9000)
    assert refused(desk.send(signed(old)))


@pytest.mark.spec("P13DL-16", "SECP-17")
def test_an_answer_counts_once(desk: Desk) -> None:
    token = signed(claims(desk.ask(), LINK))
    assert desk.send(token).status == 200
    after = desk.stored()
    assert refused(desk.send(token))
    assert desk.stored() == after


@pytest.mark.spec("P13DL-04", "SECP-17")
def test_a_nonce_counts_once(desk: Desk) -> None:
    assert desk.send(signed(claims(desk.ask(), LINK, nonce="the same"))).status == 200
    data, before = desk.ask(), desk.stored()
    assert refused(desk.send(signed(claims(data, LINK, nonce="the same"))))
    assert desk.stored() == before


@pytest.mark.spec("P13DL-07", "SECP-32", "P11C-02")
@pytest.mark.parametrize("tool", ["1.3", "1.1"])
def test_an_answer_is_worth_nothing_in_another_browser(desk: Desk, tool: str) -> None:
    victim = desk.another()
    if tool == "1.3":
        token = signed(claims(desk.ask(), LINK))
        fields = [("JWT", token)]
    else:
        fields = form11(data_of(desk.leave("old")))
    before = desk.stored()
    assert refused(victim.bridge.post(PATH, fields))
    assert desk.stored() == before
    assert desk.bridge.post(PATH, fields).status == 200


@pytest.mark.spec("SECP-20")
def test_whoever_reads_the_database_cannot_go_on_for_somebody_who_chooses(desk: Desk) -> None:
    before = desk.tokens()
    data = desk.ask()
    kept = desk.tokens() - before
    assert kept
    for token in kept:
        page = desk.bridge.post("/course/place", {"token": token, "do": "start"})
        assert page.status == 403
    page = desk.send(signed(claims(data, LINK)))
    fields = dict(page.form().fields)
    assert fields["token"] not in desk.tokens()
    page = desk.bridge.post("/course/place", {"token": fields["token"], "do": "start"})
    assert page.status == 200, page.text


@pytest.mark.spec("P13DL-02")
def test_only_a_posted_jwt_counts(desk: Desk) -> None:
    data = desk.ask()
    token = signed(claims(data, LINK))
    assert desk.bridge.get(f"{PATH}?JWT={token}").status == 405
    assert refused(desk.bridge.post(f"{PATH}?JWT={token}", {}))
    assert refused(desk.bridge.post(f"{PATH}?x=1", {"JWT": token}))
    assert refused(desk.bridge.post(PATH, {"id_token": token}))
    assert refused(desk.bridge.post(PATH, [("JWT", token), ("JWT", token)]))
    assert refused(desk.bridge.post(PATH, {"JWT": token, "id_token": token}))
    raw = desk.bridge.client.post(
        PATH, data=json.dumps({"JWT": token}), content_type="application/json", base_url=PUBLIC
    )
    assert raw.status_code == 400
    assert desk.bridge.post(PATH, {"JWT": "x" * 600_000}).status == 413
    assert desk.send(token).status == 200


BAD_ITEMS: dict[str, dict[str, Any]] = {
    "javascript": {"url": "javascript:alert(1)"},
    "data": {"url": "data:text/html,x"},
    "relative": {"url": "/picky/launch"},
    "another host": {"url": "https://evil.example.net/picky"},
    "a private host": {"url": "https://10.0.0.1/picky"},
    "user": {"url": "https://tool.example.org@evil.example.net/"},
    "custom list": {"custom": ["a"]},
    "custom object": {"custom": {"a": {"b": 1}}},
    "custom list in custom": {"custom": {"a": [1]}},
    "title": {"title": ["x"]},
    "NUL": {"title": "a\0b"},
    "half a character": {"title": "\ud800"},
    "NUL in custom": {"custom": {"a": "a\0b"}},
    "NUL in a name": {"custom": {"a\0b": "a"}},
    "half a character in custom": {"custom": {"a": "\ud800"}},
    "no maximum": {"lineItem": {"label": "x"}},
    "maximum 0": {"lineItem": {"scoreMaximum": 0}},
    "negative maximum": {"lineItem": {"scoreMaximum": -1}},
    "maximum as text": {"lineItem": {"scoreMaximum": "40"}},
    "true as maximum": {"lineItem": {"scoreMaximum": True}},
    "huge maximum": {"lineItem": {"scoreMaximum": 1e300}},
    "maximum above all floats": {"lineItem": {"scoreMaximum": 10**400}},
    "line item": {"lineItem": [40]},
    "long tag": {"lineItem": {"scoreMaximum": 1, "tag": "x" * 300}},
}


@pytest.mark.spec("P13DL-12", "P13DL-13", "P13DL-14")
@pytest.mark.parametrize("bad", BAD_ITEMS)
def test_an_unclean_link_is_refused_whole(desk: Desk, bad: str) -> None:
    before = desk.stored()
    assert refused(desk.send(signed(claims(desk.ask(), {**LINK, **BAD_ITEMS[bad]})))), bad
    assert desk.stored() == before


LOOSE: dict[str, tuple[dict[str, Any], str, Any]] = {
    "number": ({"custom": {"a": 7}}, "custom", {"a": "7"}),
    "fraction": ({"custom": {"a": 0.5}}, "custom", {"a": "0.5"}),
    "true": ({"custom": {"a": True, "b": False}}, "custom", {"a": "true", "b": "false"}),
    "null": ({"custom": {"a": None, "b": "x"}}, "custom", {"b": "x"}),
    "no members, as PHP writes them": ({"custom": []}, "custom", {}),
    "resource id": ({"lineItem": {"scoreMaximum": 4, "resourceId": 7}}, "resource_id", "7"),
    "tag": ({"lineItem": {"scoreMaximum": 4, "tag": 2026}}, "tag", "2026"),
    "no ids": ({"lineItem": {"scoreMaximum": 4, "resourceId": None}}, "resource_id", None),
}


@pytest.mark.spec("P13DL-12", "P13DL-13")
@pytest.mark.parametrize("variant", LOOSE)
def test_what_is_no_text_is_read_as_its_text(desk: Desk, variant: str) -> None:
    item, name, value = LOOSE[variant]
    link = {**LINK, "title": f"Chapter {variant}", **item}
    page = desk.send(signed(claims(desk.ask(), link)))
    assert page.status == 200, page.text
    kept = json.loads(desk.activity()["settings"])
    assert (kept.get(name) or None) == (value or None)


def test_a_number_for_a_title_is_a_title(desk: Desk) -> None:
    assert desk.send(signed(claims(desk.ask(), {**LINK, "title": 7}))).status == 200
    assert desk.activity()["title"] == "7"


TOLD: dict[str, tuple[Callable[[str], str], str]] = {
    "no data": (lambda _data: signed(claims("", LINK)), "data is missing"),
    "other data": (lambda _data: signed(claims("x", LINK)), "data was used before"),
    "unknown tool": (
        lambda data: signed(claims(data, LINK, iss="nobody")),
        "JWT does not prove a connected tool",
    ),
    "other key": (
        lambda data: signed(claims(data, LINK), OTHER),
        "JWT does not prove a connected tool",
    ),
    "audience": (lambda data: signed(claims(data, LINK, aud="x")), "aud is &#39;x&#39;"),
    "expired": (lambda data: signed(claims(data, LINK, exp=1)), "expired"),
    "message type": (
        lambda data: signed(claims(data, LINK, **{f"{LTI}message_type": "x"})),
        "message_type is not LtiDeepLinkingResponse",
    ),
    "deployment": (
        lambda data: signed(claims(data, LINK, **{f"{LTI}deployment_id": "x"})),
        "deployment_id is not",
    ),
    "no nonce": (lambda data: signed(claims(data, LINK, nonce=None)), "nonce is no text"),
    "items": (
        lambda data: signed(claims(data, **{f"{DL}content_items": LINK})),
        "content_items is no list",
    ),
    "too many": (lambda data: signed(claims(data, LINK, LINK)), "content_items holds 2 links"),
    "url": (
        lambda data: signed(claims(data, {"type": "file"}, {**LINK, "url": "javascript:x"})),
        "content_items[1].url is no web address",
    ),
    "custom": (
        lambda data: signed(claims(data, {**LINK, "custom": {"a": {}}})),
        "content_items[0].custom.a is no clean text",
    ),
    "maximum": (
        lambda data: signed(claims(data, {**LINK, "lineItem": {"label": "x"}})),
        "content_items[0].lineItem.scoreMaximum is no number",
    ),
    "tag": (
        lambda data: signed(claims(data, {**LINK, "lineItem": {"scoreMaximum": 1, "tag": []}})),
        "content_items[0].lineItem.tag is no clean text",
    ),
}


@pytest.mark.spec("P13DL-14")
@pytest.mark.parametrize("variant", TOLD)
def test_the_page_says_which_element_and_why(desk: Desk, variant: str) -> None:
    made, words = TOLD[variant]
    page = desk.send(made(desk.ask()))
    assert refused(page)
    assert words in page.text
    assert "Traceback" not in page.text


@pytest.mark.spec("P13DL-09", "P13DL-10", "P13DL-11", "P13DL-14")
def test_other_items_are_never_stored_shown_or_fetched(desk: Desk) -> None:
    others = [
        {"type": "html", "html": "<script>alert(1)</script>"},
        {"type": "link", "url": "https://evil.example.net/", "embed": {"html": "<img>"}},
        {"type": "file", "url": "https://10.0.0.1/x"},
        {"type": "https://tool.example.org/own"},
        {"no": "type"},
        "no item",
    ]
    page = desk.send(signed(claims(desk.ask(), *others, {**LINK, "title": "<i>Quiz</i>"})))
    assert page.status == 200
    assert "&lt;i&gt;Quiz&lt;/i&gt;" in page.text
    assert "alert(1)" not in page.text
    assert "evil.example.net" not in page.text
    before = desk.stored()
    assert "Nothing was chosen" in desk.send(signed(claims(desk.ask(), *others))).text
    assert desk.stored() == before


@pytest.mark.spec("P13DL-09")
def test_more_than_one_is_refused_where_one_was_asked_for(desk: Desk) -> None:
    before = desk.stored()
    assert refused(desk.send(signed(claims(desk.ask(), LINK, LINK))))
    assert refused(desk.send(signed(claims(desk.ask(), *[LINK] * 200))))
    assert refused(desk.send(signed(claims(desk.ask(), **{f"{DL}content_items": LINK}))))
    assert desk.stored() == before


@pytest.mark.spec("P13DL-08")
def test_absent_items_mean_that_nothing_was_chosen(desk: Desk) -> None:
    for nothing in (None, [], {}, ""):
        page = desk.send(signed(claims(desk.ask(), **{f"{DL}content_items": nothing})))
        assert page.status == 200
        assert "Nothing was chosen" in page.text


@pytest.mark.parametrize("nothing", [None, [], {}, ""])
def test_parts_of_an_item_that_are_empty_are_absent(desk: Desk, nothing: object) -> None:
    item = {**LINK, "custom": nothing, "lineItem": nothing}
    page = desk.send(signed(claims(desk.ask(), item)))
    assert page.status == 200
    assert "Nothing was chosen" not in page.text


@pytest.mark.spec("P13DL-15", "SECP-07")
def test_what_the_tool_says_is_shown_as_text_and_not_logged(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    said = {f"{DL}log": "first\r\nAnn Student", f"{DL}errormsg": "<b>Sorry</b>"}
    page = desk.send(signed(claims(desk.ask(), **said, **{f"{DL}errorlog": ["Ann Student"]})))
    assert "&lt;b&gt;Sorry&lt;/b&gt;" in page.text
    desk.bridge.post(PATH, form11(data_of(desk.leave("old")), lti_errorlog="Ann Student"))
    told = [vars(one) for one in caplog.records if one.msg == "tool.said"]
    assert [(one["kind"], one["size"]) for one in told] == [("log", 18), ("errorlog", 11)]
    assert not [one for one in caplog.records if "Ann" in str(vars(one))]


def data_of(page: Page) -> str:
    return dict(page.form().fields)["data"]


def form11(
    data: str | None, signed_with: str = "s1", **changes: str | None
) -> list[tuple[str, str]]:
    """A signed ContentItemSelection; None leaves a field out."""
    item = {"@type": "LtiLinkItem", "url": f"{TOOL}/old/launch", "title": "Old"}
    fields: dict[str, str | None] = {
        "lti_message_type": "ContentItemSelection",
        "lti_version": "LTI-1p0",
        "content_items": json.dumps({"@graph": [{"@type": "Nothing"}, item]}),
        "data": data,
        **changes,
    }
    given = [(name, value) for name, value in fields.items() if value is not None]
    return list(
        oauth1.sign_form(
            PUBLIC + PATH,
            given,
            "tool-key",
            signed_with,
            nonce=f"n{time.monotonic_ns()}",
            timestamp=int(time.time()),
        )
    )


@pytest.mark.spec("P11C-01", "P11C-03")
def test_the_old_message_asks_for_links(desk: Desk) -> None:
    page = desk.leave("old")
    fields = dict(page.form().fields)
    assert page.form().action == f"{TOOL}/old/choose"
    assert fields["lti_message_type"] == "ContentItemSelectionRequest"
    assert fields["accept_media_types"] == "application/vnd.ims.lti.v1.ltilink"
    assert fields["accept_presentation_document_targets"] == "iframe,window"
    assert fields["content_item_return_url"] == f"{PUBLIC}{PATH}/{fields['data']}"
    assert fields["accept_unsigned"] == "false"
    assert fields["accept_multiple"] == "false"
    assert fields["oauth_consumer_key"] == "tool-key"
    assert not any(name.startswith(("resource_link", "lis_")) for name in fields)


@pytest.mark.spec("P11C-02", "P11C-04")
def test_the_old_answer_becomes_an_activity(desk: Desk) -> None:
    page = desk.bridge.post(PATH, form11(data_of(desk.leave("old"))))
    assert page.status == 200, page.text
    assert desk.activity()["title"] == "Old"


@pytest.mark.parametrize(("tool", "secret", "attempts"), [("old", "s1", 0), ("sold", "of sold", 1)])
def test_what_is_chosen_where_each_costs_begins_with_one_attempt(
    desk: Desk, tool: str, secret: str, attempts: int
) -> None:
    custom = {"act_id": "8", "tst_frm_id": "363", "gen_id": "3", "redirect": "1"}
    item = {"@type": "LtiLinkItem", "title": f"Chosen at {tool}"}
    items = {"@graph": [item | ({"custom": custom} if tool == "sold" else {})]}
    page = desk.bridge.post(
        PATH, form11(data_of(desk.leave(tool)), secret, content_items=json.dumps(items))
    )
    assert page.status == 200, page.text
    found = desk.activity()
    assert (found["title"], found["attempts"]) == (f"Chosen at {tool}", attempts)


def tampered(fields: list[tuple[str, str]], **changes: str) -> list[tuple[str, str]]:
    return [(name, changes.get(name, value)) for name, value in fields]


WRONG11: dict[str, Callable[[str], list[tuple[str, str]]]] = {
    "unsigned": lambda data: [f for f in form11(data) if not f[0].startswith("oauth_")],
    "another connection's secret": lambda data: form11(data, "s2"),
    "wrong secret": lambda data: form11(data, "s3"),
    "changed": lambda data: tampered(form11(data), content_items="[]"),
    "message": lambda data: form11(data, lti_message_type="basic-lti-launch-request"),
    "version": lambda data: form11(data, lti_version="LTI-2p0"),
    "data": lambda data: form11(data + "x"),
    "no data": lambda _data: form11(None),
    "items are no JSON": lambda data: form11(data, content_items="{"),
    "deep": lambda data: form11(data, content_items="[" * 5000),
    "too deep": lambda data: form11(data, content_items=json.dumps(nested(30))),
    "long": lambda data: form11(data, content_items=" " * 300_000 + "{}"),
    "items are a list": lambda data: form11(data, content_items="[1]"),
    "url": lambda data: form11(data, content_items=graph(url="javascript:alert(1)")),
    "twice": lambda data: [*form11(data), ("lti_message_type", "ContentItemSelection")],
}


def graph(**item: Any) -> str:
    return json.dumps({"@graph": [{"@type": "LtiLinkItem", "title": "x", **item}]})


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"@graph": []}
    for _ in range(depth):
        value = {"@graph": [], "more": value}
    return value


@pytest.mark.spec("P11C-02", "P11C-03", "P11C-04")
@pytest.mark.parametrize("wrong", WRONG11)
def test_an_old_answer_that_is_not_the_tools_own_is_refused(desk: Desk, wrong: str) -> None:
    data, before = data_of(desk.leave("old")), desk.stored()
    assert refused(desk.bridge.post(PATH, WRONG11[wrong](data))), wrong
    assert desk.stored() == before


TOLD_11: dict[str, tuple[Callable[[str], list[tuple[str, str]]], str]] = {
    "secret": (lambda data: form11(data, "s3"), "does not prove a connected tool"),
    "no data": (lambda _data: form11(None), "data is missing"),
    "version": (lambda data: form11(data, lti_version="x"), "lti_version is not LTI-1p0"),
    "no JSON": (lambda data: form11(data, content_items="{"), "content_items is no JSON"),
    "custom": (
        lambda data: form11(data, content_items=graph(custom={"a": []})),
        "@graph[0].custom.a is no clean text",
    ),
}


@pytest.mark.spec("P11C-02", "P11C-04")
@pytest.mark.parametrize("variant", TOLD_11)
def test_the_page_for_an_old_answer_says_which_element(desk: Desk, variant: str) -> None:
    made, words = TOLD_11[variant]
    page = desk.bridge.post(PATH, made(data_of(desk.leave("old"))))
    assert refused(page)
    assert words in page.text


@pytest.mark.spec("P11C-04")
def test_numbers_in_an_old_answer_are_texts(desk: Desk) -> None:
    line_item = {"assignedActivity": {"activityId": 7}, "scoreConstraints": {"totalMaximum": 4}}
    chosen = graph(custom={"id": 7, "none": None}, lineItem=line_item)
    page = desk.bridge.post(PATH, form11(data_of(desk.leave("old")), content_items=chosen))
    assert page.status == 200, page.text
    kept = json.loads(desk.activity()["settings"])
    assert (kept["custom"], kept["resource_id"]) == ({"id": "7"}, "7")


@pytest.mark.spec("P11C-02", "SECP-17")
def test_an_old_answer_counts_once(desk: Desk) -> None:
    fields = form11(data_of(desk.leave("old")))
    assert desk.bridge.post(PATH, fields).status == 200
    assert refused(desk.bridge.post(PATH, fields))


@pytest.mark.spec("P11C-05")
def test_an_old_answer_without_items_chose_nothing(desk: Desk) -> None:
    for items in (None, "", "[]", "{}", '{"@graph": []}'):
        page = desk.bridge.post(PATH, form11(data_of(desk.leave("old")), content_items=items))
        assert "Nothing was chosen" in page.text


def test_a_student_cannot_go_to_a_tool_to_choose(desk: Desk) -> None:
    campus = Campus(f"{PUBLIC}/lti/launch", "key", "secret")
    fields = campus.fields(custom_activity=None, resource_link_id="untouched")
    page = desk.bridge.post("/lti/launch", campus.signed(fields))
    assert page.status == 404
    assert "token" not in page.text


def test_a_window_to_choose_in_has_other_cookies_than_the_frame(desk: Desk) -> None:
    desk.leave()  # which leaves this browser a cookie
    elsewhere = desk.leave(dest="iframe").form(1)
    page = desk.another().bridge.post("/course/place", elsewhere.fields, dest="document")
    assert page.status == 200, page.text
    assert "lti_message_hint" in dict(page.form().fields)
