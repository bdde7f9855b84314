"""`attempts list`, `show` and `resolve`: what a person sees and settles."""

from __future__ import annotations

import json

import pytest

from lti_bridge.core.launch.handoff import ConfirmPage, InfoPage, Redirect
from tests import claims
from tests.cli.office import Office

WEEK_AND_A_DAY = 8 * 24 * 60


def test_attempts_are_listed_and_those_that_need_a_person_named(fresh_office: Office) -> None:
    office = fresh_office
    fine = office.begin("ann", "demo")
    silent = office.begin("bob", "itep", minutes_ago=WEEK_AND_A_DAY)
    unclear = office.lose("cyd", "demo")
    under_way = office.lose("dan", "prov", minutes_ago=0)

    every = {row["id"]: row for row in office.json("attempts", "list")}
    assert {key: row["stuck"] for key, row in every.items()} == {
        fine: "",
        silent: "silent",
        unclear: "unclear",
        under_way: "",
    }
    assert every[fine]["user"] == "ann"
    stuck = office.json("attempts", "list", "--stuck")
    assert {row["id"] for row in stuck} == {silent, unclear}
    found = office.json("attempts", "list", "--state", "unclear", "--connection", "prov")
    assert [row["id"] for row in found] == [under_way]
    text = office.ok("attempts", "list", "--connection", "itep")
    assert silent in text
    assert "SILENT" in text
    assert office.ok("attempts", "list", "--connection", "mettl") == "None.\n"

    doctor = {one["what"]: one for one in json.loads(office.run("doctor", "--json").stdout)}
    assert doctor["attempts"]["said"] == "1 silent, 1 unclear"
    assert "attempts list --stuck" in doctor["attempts"]["remedy"]


def test_no_id_of_an_lms_steers_a_terminal(office: Office) -> None:
    attempt = office.begin("eve\x1b]0;title\x07\nanother line", "demo")
    for command in (("list",), ("show", attempt)):
        text = office.ok("attempts", *command)
        assert "eve\N{REPLACEMENT CHARACTER}]0;title" in text
        assert not {"\x1b", "\x07"} & set(text)
        assert not any(line.startswith("another") for line in text.splitlines())
    assert "\x1b" not in office.ok("results", "list")
    asked = office.run("results", "enter", attempt, "1", "2", answer="n\n")
    assert "eve" in asked.output
    assert "\x1b" not in asked.output


def test_doctor_is_content_when_nothing_waits(fresh_office: Office) -> None:
    office = fresh_office
    office.begin("ann", "demo")
    office.lose("bob", "demo", minutes_ago=0)
    doctor = office.json("doctor")
    assert [one["remedy"] for one in doctor if one["what"] == "attempts"] == [""]


def test_one_attempt_is_shown_with_all_that_happened(office: Office) -> None:
    attempt = office.begin("show", "demo")
    party = office.parties["demo"]
    party.mark(party.bought()[-1], "7.3")
    office.ok("results", "enter", attempt, "8", "10", "--yes")
    shown = office.json("attempts", "show", attempt)
    assert (shown["state"], shown["score"], shown["user"]) == ("graded", "8/10", "show")
    assert shown["reference"] == party.bought()[-1]
    changes = [(change["state"], change["source"]) for change in shown["changes"]]
    assert changes == [("unclear", "start"), ("started", "provider"), ("graded", "person")]
    assert [(one["source"], one["score"]) for one in shown["results"]] == [("person", "8/10")]
    assert (shown["grade"]["grade"], shown["grade"]["delivery"]) == ("8/10", "pending")
    text = office.ok("attempts", "show", attempt)
    for part in ("graded  demo, attempt 1, campus user show", "by start", "8/10  by person"):
        assert part in text
    assert "people.example.org" not in text + json.dumps(shown)


def test_an_unclear_attempt_says_what_to_do(office: Office) -> None:
    text = office.ok("attempts", "show", office.lose("advised", "demo"))
    assert "attempts resolve --help" in text
    assert "grade       none" in text


# Resolving


def test_a_demo_session_that_was_found_goes_on_to_its_grade(office: Office) -> None:
    attempt = office.lose("found", "demo")
    party = office.parties["demo"]
    name = party.bought()[-1]
    url = f"{party.url}/take/somewhere"
    assert "url is missing" in office.refused(
        "attempts", "resolve", attempt, "--started", name, "--yes"
    )
    with_url = ("--with", f"url={url}", "--yes")
    wrong = ("attempts", "resolve", attempt, "--started", "no-such-session", *with_url)
    assert "(demo-" in office.refused(*wrong)
    assert office.state(attempt)[0] == "unclear"
    office.ok("attempts", "resolve", attempt, "--started", name, *with_url)
    assert office.click("found", "demo") == Redirect(url)
    party.mark(name, "7.3")
    _poll(office)
    assert office.state(attempt) == ("graded", "7.3/10")


def test_an_isograd_test_that_was_found_goes_on_to_its_grade(office: Office) -> None:
    attempt = office.lose("tosa", "isograd")
    party = office.parties["isograd"]
    name = party.bought()[-1]
    resolve = ("attempts", "resolve", attempt, "--started", name, "--yes")
    assert "ema is missing" in office.refused(*resolve)
    assert "tst_url must be" in office.refused(
        *resolve, "--with", "ema=tosa@people.example.org", "--with", "tst_url=javascript:x"
    )
    office.ok(*resolve, "--with", "ema=tosa@people.example.org")
    assert isinstance(office.click("tosa", "isograd"), Redirect)
    assert len(party.bought()) == 1
    party.hand_in(name)
    party.mark(name, "563")
    _poll(office)
    assert office.state(attempt) == ("graded", "563/1000")


def test_an_itep_test_id_that_was_found_is_shown_again(office: Office) -> None:
    attempt = office.lose("gtx", "itep")
    party = office.parties["itep"]
    name = party.bought()[-1]
    office.ok("attempts", "resolve", attempt, "--started", name, "--with", "password=pw-7", "--yes")
    page = office.click("gtx", "itep")
    assert isinstance(page, InfoPage)
    assert [value for _, value in page.details] == [name, "pw-7"]
    assert len(party.bought()) == 1


def test_a_prov_event_that_was_found_goes_on_to_its_grade(office: Office) -> None:
    attempt = office.lose("exam", "prov")
    party = office.parties["prov"]
    name = party.bought()[-1]
    resolve = ("attempts", "resolve", attempt, "--started", name, "--yes")
    assert "place is not known; possible: url" in office.refused(*resolve, "--with", "place=x")
    office.ok(*resolve, "--with", "url=https://prov.example.org/exam")
    assert office.click("exam", "prov") == Redirect("https://prov.example.org/exam")
    party.mark(name, "73.5")
    _poll(office)
    assert office.state(attempt) == ("graded", "73.5/100")


def test_mettl_finds_its_candidate_itself(office: Office) -> None:
    attempt = office.lose("self", "mettl")
    said = office.refused("attempts", "resolve", attempt, "--started", "1", "--yes")
    assert "--not-started" in said
    office.ok("attempts", "resolve", attempt, "--not-started", "--yes")
    assert office.click("self", "mettl")
    assert len(office.parties["mettl"].bought()) == 1


def test_what_was_not_started_is_started_by_the_next_click(office: Office) -> None:
    attempt = office.lose("released", "demo")
    bought = len(office.parties["demo"].bought())
    question = office.run("attempts", "resolve", attempt, "--not-started", answer="n\n")
    assert question.exit_code == 1
    assert "demo of campus user released" in question.stderr
    assert office.state(attempt)[0] == "unclear"
    assert office.run("attempts", "resolve", attempt, "--not-started", answer="y\n").exit_code == 0
    assert office.state(attempt)[0] == "created"
    assert office.begin("released", "demo") == attempt
    assert len(office.parties["demo"].bought()) == bought + 1


def test_what_is_given_up_makes_room_for_another_attempt(office: Office) -> None:
    attempt = office.lose("given-up", "demo")
    assert office.bridge.store.reserve("demo", "a time", "learner", attempt, 1)
    said = office.ok("attempts", "resolve", attempt, "--expired", "--yes")
    assert "the next click asks before it makes another attempt" in said
    assert office.state(attempt)[0] == "expired"
    assert office.bridge.store.reserve("demo", "a time", "learner", "another", 1)
    bought = len(office.parties["demo"].bought())
    asked = office.click("given-up", "demo")
    assert isinstance(asked, ConfirmPage)
    assert asked.title == "Your last attempt is over. Start attempt 2?"
    assert office.attempt_of("given-up", "demo") == attempt
    assert len(office.parties["demo"].bought()) == bought  # unasked, nothing has begun
    assert isinstance(office.press(asked), Redirect)
    assert office.attempt_of("given-up", "demo") != attempt
    assert len(office.parties["demo"].bought()) == bought + 1


def test_only_an_unclear_attempt_can_be_resolved_and_only_when_nobody_is_at_it(
    office: Office,
) -> None:
    fine = office.begin("fine", "demo")
    for how in (("--not-started",), ("--expired",), ("--started", "x")):
        said = office.refused("attempts", "resolve", fine, *how, "--yes")
        assert "is started, not unclear" in said
    busy = office.lose("busy", "demo", minutes_ago=0)
    said = office.refused("attempts", "resolve", busy, "--not-started", "--yes")
    assert "just now" in said
    assert office.state(busy)[0] == "unclear"
    assert isinstance(office.click("fine", "demo"), Redirect)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say one of"),
        (("--not-started", "--expired"), "say one of"),
        (("--started", "x", "--expired"), "say one of"),
        (("--started", " "), "the reference is empty"),
        (("--not-started", "--with", "a=b"), "--with goes with --started only"),
        (("--started", "x", "--with", "word"), "'word' is not NAME=VALUE"),
    ],
)
def test_wrong_usage_of_resolve(office: Office, options: tuple[str, ...], said: str) -> None:
    assert said in office.refused("attempts", "resolve", "any", *options, "--yes", status=2)


def test_unknown_names(office: Office) -> None:
    assert "no attempt 'x'" in office.refused("attempts", "show", "x")
    assert "no attempt 'x'" in office.refused("attempts", "resolve", "x", "--expired", "--yes")
    assert "no connection named 'x'" in office.refused("attempts", "list", "--connection", "x")
    office.refused("attempts", "list", "--state", "x", status=2)


def test_all_unclear_attempts_at_a_connection_are_settled_at_once(office: Office) -> None:
    for connection in ("demo", "mettl"):  # what other tests have left
        office.run("attempts", "resolve-all", connection, "--expired", "--yes")
    lost = [office.lose(user, "demo") for user in ("many-1", "many-2", "many-3")]
    other = office.lose("many-4", "mettl")
    asked = office.run("attempts", "resolve-all", "demo", "--not-started", answer="n\n")
    assert asked.exit_code == 1
    assert "3 attempts at demo: release all, so that the next clicks start (and buy) them?" in (
        asked.stderr
    )
    assert {office.state(one)[0] for one in lost} == {"unclear"}
    said = office.ok("attempts", "resolve-all", "demo", "--not-started", "--yes")
    assert said == "3 attempts are released.\n"
    assert [office.state(one)[0] for one in (*lost, other)] == [*["created"] * 3, "unclear"]
    assert "No attempt at 'demo' is unclear." in office.refused(
        "attempts", "resolve-all", "demo", "--expired", "--yes"
    )
    said = office.ok("attempts", "resolve-all", "mettl", "--expired", "--yes")
    assert said == "1 attempt is closed.\n"
    assert office.state(other)[0] == "expired"


def test_only_those_of_an_activity_are_settled_where_one_is_named(office: Office) -> None:
    office.run("attempts", "resolve-all", "demo", "--expired", "--yes")
    lost = office.lose("one-1", "demo")
    nothing = ("attempts", "resolve-all", "demo", "--expired", "--activity", "other", "--yes")
    assert "is unclear" in office.refused(*nothing)
    office.ok("attempts", "resolve-all", "demo", "--expired", "--activity", "demo", "--yes")
    assert office.state(lost)[0] == "expired"


@pytest.mark.parametrize("how", [(), ("--not-started", "--expired")])
def test_what_is_found_of_all_is_said_once(office: Office, how: tuple[str, ...]) -> None:
    said = office.refused("attempts", "resolve-all", "demo", *how, status=2)
    assert "say one of --not-started and --expired" in said
    assert "no connection named 'x'" in office.refused(
        "attempts", "resolve-all", "x", "--expired", "--yes"
    )


@pytest.mark.parametrize(
    "command",
    [
        ("attempts", "show", "{}"),
        ("attempts", "resolve", "{}", "--expired", "--yes"),
        ("results", "enter", "{}", "1", "2", "--yes"),
        ("learners", "forget", "campus", "{}", "--yes"),
    ],
)
@pytest.mark.parametrize("name", ["-hcZC5Z8", "--config-of-it", "-"])
def test_an_id_may_begin_with_a_hyphen(office: Office, command: tuple[str, ...], name: str) -> None:
    said = office.refused(*(part.format(name) for part in command))
    assert f"'{name}'" in said


def test_grades_are_named_by_ids_that_may_begin_with_a_hyphen(office: Office) -> None:
    result = office.run("results", "resend", "-hcZC5Z8")
    assert result.stdout == "0 grades are on their way again.\n"
    assert result.exit_code == 1


def test_a_misspelled_option_is_wrong_usage(office: Office) -> None:
    said = office.refused("learners", "forget", "campus", "u", "--anywya", status=2)
    assert "--anywya" in said


def test_a_database_without_schema_is_named(office: Office) -> None:
    text = office.config.read_text(encoding="utf-8").replace("bridge.sqlite3", "other.sqlite3")
    empty = office.folder / "empty.toml"
    empty.write_text(text, encoding="utf-8")
    office.config, kept = empty, office.config
    try:
        assert "lti-bridge migrate" in office.refused("attempts", "list")
    finally:
        office.config = kept


def _poll(office: Office) -> None:
    """Ask about what is due, as a worker does."""
    for poll in claims.polls(office.bridge.store, office.bridge.store.clock(), 60, 100):
        office.bridge.polling.poll(poll)
