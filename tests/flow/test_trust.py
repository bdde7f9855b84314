"""One LMS never reaches another's services: its tokens, its assertions, its gradebook."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from click.testing import CliRunner, Result

from lti_bridge.assembly.basics import now
from lti_bridge.cli import main
from lti_bridge.lms.register import PURPOSE
from lti_bridge.store.engine import Database
from lti_bridge.store.registrations import RegistrationStore
from tests.flow.crook import Crook
from tests.flow.rig import Rig, Sitting
from tests.flow.scene import refusal
from tests.flow.school import AGS, SCORE
from tests.flow.world import HTTP, eventually, free_port

NOBODY = f"http://127.0.0.1:{free_port()}"  # a host of nobody whom the bridge knows


@pytest.fixture
def made() -> Iterator[list[Crook]]:
    """The LMSs of one test, which end with it."""
    crooks: list[Crook] = []
    yield crooks
    for one in crooks:
        one.stop()


def cli(rig: Rig, *words: str) -> Result:
    return CliRunner().invoke(main, ["registrations", *words, "--config", str(rig.bridge.config)])


def state(rig: Rig, name: str) -> str:
    found = rig.rows("SELECT state FROM registrations WHERE name = :name", name=name)
    return str(found[0]["state"]) if found else ""


def invited(rig: Rig, *options: str) -> tuple[str, str]:
    name = f"lms-{secrets.token_hex(4)}"
    said = cli(rig, "invite", name, "--json", *options)
    return name, str(json.loads(said.output)["address"])


def kids(rig: Rig, name: str = "") -> set[str]:
    answer = HTTP.request("GET", f"{rig.bridge.url}/lti/jwks{name and '/'}{name}")
    assert answer.status == 200
    return {key["kid"] for key in answer.json()["keys"]}


def kid_of(assertion: str) -> str:
    return str(jwt.get_unverified_header(assertion)["kid"])


def sit(rig: Rig, crook: Crook, name: str, item: str) -> Sitting:
    """Open a test from there, with this place for its grade."""
    learner = f"learner-{secrets.token_hex(4)}"
    endpoint = {"scope": [SCORE], "lineitem": item}

    def open_() -> int:
        page = crook.launch(rig.bridge.url, "last", learner, endpoint)
        opened.append(page)
        return page.status

    opened: list[Any] = []
    eventually(open_, 200)
    fields = dict(opened[-1].form().fields)
    found = fields["lis_result_sourcedid"], fields["lis_outcome_service_url"]
    return Sitting(learner, *found, name, "last")


def graded(rig: Rig, sitting: Sitting, seen: Callable[[], bool]) -> None:
    """Report grades until this is seen: the worker may not have heard of an LMS just now."""

    def look() -> bool:
        if not seen() and rig.grade(sitting)["delivery"] != "pending":
            assert rig.report(sitting, f"0.{secrets.randbelow(10**6):06}").status == 200
        return seen()

    assert rig.report(sitting, "0.5").status == 200
    eventually(look, True)


def registered(rig: Rig, crook: Crook, **facts: Any) -> str:
    """An LMS that was let in before the bridge looked at what it names."""
    database = Database(rig.engine.url.render_as_string(hide_password=False))
    store, name, token = (
        RegistrationStore(database),
        f"old-{secrets.token_hex(4)}",
        secrets.token_hex(),
    )
    store.invite(token, name, now(), now() + timedelta(days=1), approve=True, purpose=PURPOSE)
    invitation = store.use_invitation(token, PURPOSE, now())
    assert invitation
    addresses = {one: f"{crook.url}/{two}" for one, two in ADDRESSES.items()}
    known = {"issuer": crook.url, "client_id": crook.client_id, **addresses, **facts}
    assert store.add(invitation, known, [], now(), active=True)
    database.close()
    return name


ADDRESSES = {"authorization_url": "auth", "token_url": "token", "jwks_url": "jwks"}


@pytest.mark.spec("SECP-38", "SECP-55")
@pytest.mark.parametrize(
    "says",
    [
        {"token_endpoint": "{school}/token"},
        {"token_endpoint": "{school}/token/?x=1"},
        {"token_endpoint": "{school}/anything"},
        {"authorization_server": "{school}/token"},
        {"authorization_server": "{school}"},
        {"authorization_server": "{bare}"},
    ],
)
def test_nobody_registers_with_an_address_of_another(
    each_rig: Rig, made: list[Crook], says: dict[str, str]
) -> None:
    school = each_rig.school.url
    said = {
        name: value.format(school=school, bare=school.removeprefix("http://"))
        for name, value in says.items()
    }
    made.append(crook := Crook(**said))
    name, address = invited(each_rig, "--approve")
    page = crook.opens(address)
    assert (page.status, refusal(page)[0]) == (400, "registration")
    assert state(each_rig, name) == ""
    assert crook.jwks_uri == ""  # it was not even told ours
    shown = cli(each_rig, "show", name).output
    assert "belongs to 'new'" in shown or "is that of 'new'" in shown


@pytest.mark.spec("SECP-55")
@pytest.mark.parametrize(
    ("says", "client", "problem"),
    [
        ({"token_endpoint": f"{NOBODY}/token"}, "", "is not the issuer's"),
        ({"authorization_server": f"{NOBODY}/token"}, "", "is not the issuer's"),
        ({"authorization_server": "urn:somebody"}, "", "is not the issuer's"),
        ({"jwks_uri": f"{NOBODY}/jwks"}, "", "is not the issuer's"),
        ({"jwks_uri": "{school}/jwks"}, "", "belongs to 'new'"),
        ({"authorization_endpoint": "{school}/auth"}, "", "belongs to 'new'"),
        ({}, "client-new", "is also that of 'new'"),
    ],
)
def test_what_is_not_plainly_its_own_waits_for_an_administrator(
    each_rig: Rig, made: list[Crook], says: dict[str, str], client: str, problem: str
) -> None:
    said = {one: value.format(school=each_rig.school.url) for one, value in says.items()}
    made.append(crook := Crook(client or secrets.token_hex(4), **said))
    name, address = invited(each_rig, "--approve")
    page = crook.opens(address)
    assert page.status == 200
    assert f"registrations approve {name}" in page.text
    assert state(each_rig, name) == "pending"
    asked = cli(each_rig, "approve", name)
    assert (asked.exit_code, state(each_rig, name)) == (1, "pending")
    assert "WARNING" in asked.output
    assert problem in asked.output
    assert crook.url.removeprefix("http://") in asked.output
    assert cli(each_rig, "approve", name, "--yes").exit_code == 0
    assert state(each_rig, name) == "active"
    assert cli(each_rig, "retire", name).exit_code == 0


@pytest.mark.spec("SECP-38", "T13TK-02", "T13MX-08")
def test_an_assertion_is_of_use_at_one_lms_only(each_rig: Rig, made: list[Crook]) -> None:
    rig = each_rig
    made.append(crook := Crook("client-new"))  # the victim's, which looks at no audience
    name, address = invited(rig)
    assert crook.opens(address).status == 200
    assert crook.jwks_uri == f"{rig.bridge.url}/lti/jwks/{name}"
    assert kids(rig, name).isdisjoint(kids(rig))  # it may look while it waits for approval
    assert cli(rig, "approve", name, "--yes").exit_code == 0
    sitting = sit(rig, crook, name, f"{crook.url}/item")
    graded(rig, sitting, lambda: bool(crook.bearers()))
    assertion = crook.assertions()[0]
    assert kid_of(assertion) in kids(rig, name)
    assert kid_of(assertion) not in kids(rig) | kids(rig, "new")
    with pytest.raises(StopIteration):  # the victim finds no key for it
        rig.school.assertion(assertion)
    # retired, its key signs nothing more
    assert cli(rig, "retire", name).exit_code == 0
    listed = CliRunner().invoke(main, ["keys", "list", "--config", str(rig.bridge.config)])
    assert f"lms.{name}     retired   {kid_of(assertion)}" in listed.output


def test_a_key_set_of_nobody_is_not_there(each_rig: Rig) -> None:
    for name in ("nobody", "old", "..", "%2e%2e%2fkeys.json", "tool", "lms.new", "x" * 3000):
        answer = HTTP.request("GET", f"{each_rig.bridge.url}/lti/jwks/{name}")
        assert answer.status == 404, name
    assert kids(each_rig, "new") == kids(each_rig)


TABLE = """
[[lms]]
name = "{name}"
lti = "1.3"
issuer = "{issuer}"
client_id = "c-{name}"
deployment_ids = "any"
authorization_url = "{issuer}/a"
token_url = "{token}"
jwks_url = "{issuer}/j"
"""
A, B = "https://a.example.edu", "https://b.example.edu"


@pytest.mark.spec("SECP-38")
@pytest.mark.parametrize(
    ("first", "second", "good"),
    [
        ((A, f"{A}/t"), (B, f"{A}/t"), False),
        ((A, f"{A}/t"), (B, f"{A}/t/"), False),
        ((A, f"{A}/t"), (B, "https://A.example.edu:443/t?x=1"), False),
        ((A, f"{A}/t"), (B, f"{B}/t"), True),
        ((A, f"{A}/t"), (A, f"{A}/t"), True),
        ((f"{A}/x", f"{A}/x/t"), (f"{A}/y", f"{A}/y/t"), True),
        ((A, "https://auth.brightspace.com/t"), (B, "https://auth.brightspace.com/t"), True),
        (("https://canvas.instructure.com", "https://sso.canvaslms.com/t"),
         ("https://canvas.test.instructure.com", "https://sso.canvaslms.com/t"), True),
    ],
)  # fmt: skip
def test_two_lmss_of_the_file_get_no_tokens_at_one_address(
    check: Callable[[str], tuple[int, str]],
    first: tuple[str, str],
    second: tuple[str, str],
    good: bool,
) -> None:
    named = zip(("first", "second"), (first, second), strict=True)
    tables = (TABLE.format(name=name, issuer=one[0], token=one[1]) for name, one in named)
    status, said = check("".join(tables))
    assert (status == 0) is good, said
    assert good or all(word in said for word in ("'first'", "'second'", "token_url"))


@pytest.mark.spec("SECP-38")
@pytest.mark.parametrize("place", ["lineitem", "lineitems"])
@pytest.mark.parametrize("from_file", [True, False])
def test_a_token_goes_to_no_host_of_another(
    each_rig: Rig, made: list[Crook], from_file: bool, place: str
) -> None:
    rig, scopes = each_rig, [SCORE, AGS + "scope/lineitem"]
    made.append(other := Crook())
    if from_file:
        endpoint = {"scope": scopes, place: f"{other.url}/items"}
        sitting = rig.sit("new", "last", **{AGS + "claim/endpoint": endpoint})
    else:
        made.append(crook := Crook(secrets.token_hex(4)))
        name, address = invited(rig, "--approve")
        assert crook.opens(address).status == 200
        sitting = sit(rig, crook, name, f"{other.url}/items")
    host = other.url.removeprefix("http://")
    graded(rig, sitting, lambda: "is no host of" in str(rig.grade(sitting)))
    assert rig.grade(sitting)["delivery"] == "refused"
    assert host in str(rig.grade(sitting))
    assert other.calls == []


def test_doctor_names_hosts_that_get_no_token_before_a_grade_is_refused(each_rig: Rig) -> None:
    rig, (item, items, members) = each_rig, (f"{w}.example.org" for w in ("item", "items", "list"))
    nrps = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"

    def said(lms: str, where: str) -> dict[str, object]:
        endpoint = {
            "scope": [SCORE],
            "lineitem": where.format(item),
            "lineitems": where.format(items),
        }
        listed = {"context_memberships_url": where.format(members), "service_versions": ["2.0"]}
        rig.sit(lms, "last", **{AGS + "claim/endpoint": endpoint, nrps: listed})
        command = ["doctor", "--json", "--config", str(rig.bridge.config)]
        found = json.loads(CliRunner().invoke(main, command).stdout)
        return next(one for one in found if one["what"] == "service hosts")

    rig.write("DELETE FROM grades")  # of the tests before
    rig.write("DELETE FROM rosters")
    assert said("new", rig.school.url + "/{}")["remedy"] == ""
    found = said("next", "https://{}/x")
    assert found["said"] == f"not its own: next at {item}, next at {items}, next at {members}"
    assert "service_hosts" in str(found["remedy"])


def test_a_host_that_an_administrator_confirms_gets_the_grade(
    each_rig: Rig, made: list[Crook]
) -> None:
    rig = each_rig
    made += [crook := Crook(secrets.token_hex(4)), grades := Crook()]
    name, address = invited(rig, "--approve")
    assert crook.opens(address).status == 200
    theirs = rig.school.url.removeprefix("http://")
    for host, status in (("no host", 2), ("https://x.example.edu", 2), (theirs, 0)):
        assert cli(rig, "set", name, "--service-host", host).exit_code == status, host
    said = cli(rig, "set", name, "--audience", f"{rig.school.url}/token")
    assert (said.exit_code, "belongs to 'new'" in said.output) == (1, True)
    assert cli(rig, "set", name, "--service-host", "x.org", "--no-service-host").exit_code == 2
    host = grades.url.removeprefix("http://")
    assert cli(rig, "set", name, "--service-host", host).exit_code == 0
    sitting = sit(rig, crook, name, f"{grades.url}/item")

    graded(rig, sitting, lambda: bool(grades.bearers()))
    assert set(grades.bearers()) == {"Bearer of-the-crook"}
    assert grades.assertions() == []


@pytest.mark.spec("SECP-38")
@pytest.mark.parametrize(
    "facts",
    [
        {"token_url": "{school}/token"},
        {"token_url": "{school}/else"},
        {"auth_audience": "{school}/token"},
    ],
)
def test_one_let_in_before_with_what_is_another_ones_is_trusted_no_longer(
    each_rig: Rig, made: list[Crook], facts: dict[str, str]
) -> None:
    made.append(crook := Crook(secrets.token_hex(4)))
    theirs = {one: value.format(school=each_rig.school.url) for one, value in facts.items()}
    name = registered(each_rig, crook, **theirs)
    page = crook.launch(each_rig.bridge.url, "last", "somebody", {})
    assert (page.status, refusal(page)[0]) == (400, "unknown-lms")
    assert crook.calls == []
    said = cli(each_rig, "list").output
    assert f"clash: '{name}'" in said
    assert cli(each_rig, "retire", name).exit_code == 0


@pytest.mark.parametrize("fact", ["token_url", "auth_audience"])
def test_one_let_in_before_signs_for_no_host_that_nobody_confirmed(
    each_rig: Rig, made: list[Crook], fact: str
) -> None:
    rig, nobody = each_rig, f"http://127.0.0.1:{free_port()}"
    made.append(crook := Crook(secrets.token_hex(4)))
    name = registered(rig, crook, **{fact: f"{nobody}/token"})
    sitting = sit(rig, crook, name, f"{crook.url}/item")
    host = nobody.removeprefix("http://")
    graded(rig, sitting, lambda: "is no host of" in str(rig.grade(sitting)))
    assert rig.grade(sitting)["delivery"] == "refused"
    assert host in str(rig.grade(sitting))
    assert crook.calls == []


def test_one_of_before_keeps_the_shared_key_until_it_is_moved(
    each_rig: Rig, made: list[Crook]
) -> None:
    rig = each_rig
    made.append(crook := Crook(secrets.token_hex(4)))
    name = registered(rig, crook)
    sitting = sit(rig, crook, name, f"{crook.url}/item")
    graded(rig, sitting, lambda: bool(crook.bearers()))
    assertion = crook.assertions()[0]
    # its own address is there before it is moved, and leads to the same keys
    assert kid_of(assertion) in kids(rig) == kids(rig, name)
    asked = cli(rig, "set", name, "--own-key")
    assert (asked.exit_code, f"/lti/jwks/{name}" in asked.output) == (1, True)
    assert kids(rig, name) == kids(rig)
    assert cli(rig, "set", name, "--own-key", "--yes").exit_code == 0
    # both until the new one signs, in an hour
    eventually(lambda: kids(rig, name) > kids(rig), True)
    assert cli(rig, "set", name, "--own-key", "--yes").exit_code == 1
