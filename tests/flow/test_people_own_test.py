"""What is one person's is never the same for all who open a link; on each engine.

A confirmation or a report at Isograd is about the learner's own test, by the attempt that it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.people import People, code_of, running_people
from tests.flow.world import eventually

MORE = {
    "confirm": ("tosa", "act_id = 58, of_activity = 'tosa', redirect = 1"),
    "report-of": ("tosa", "act_id = 6, tst_frm_id = '363', of_activity = 'tosa'"),
}


@pytest.fixture(scope="module")
def people(each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Everybody, on each engine; each test has learners of its own."""
    folder = tmp_path_factory.mktemp("own")
    with running_people(folder, each_database, activities=MORE) as made:
        yield made


def finished(
    people: People, user: str, activity: str = "tosa", marks: int = 640, link: str = "link-1"
) -> str:
    """The reference of a test that a learner has finished."""
    people.place(user, f"{user}@example.edu", activity, resource_link_id=link)
    reference = str(people.attempt(user, activity).reference)
    people.pull("isograd", "finish", pla_tst_id=reference, num_val=marks)
    eventually(lambda: people.score(user, activity), f"{marks}/1000")
    return reference


def test_each_learner_confirms_their_own_test(people: People) -> None:
    two = people.pair()
    own = {user: finished(people, user) for user in (two.ann, two.bob)}
    for user in (two.bob, two.ann):
        place = people.place(user, f"{user}@example.edu", "confirm")
        made = people.state("isograd")["tests"][-1]
        assert str(made["confirms"]) == own[user]
        assert place.endswith(made["token"])
        assert people.place(user, f"{user}@example.edu", "confirm") == place


def test_of_several_tests_the_newest_finished_one_is_confirmed(people: People) -> None:
    two = people.pair()
    finished(people, two.ann)
    second = finished(people, two.ann, marks=320, link="link-2")
    mail = f"{two.ann}@example.edu"
    people.place(two.ann, mail, "tosa", resource_link_id="link-3")  # a third, which is open
    people.place(two.ann, f"{two.ann}@example.edu", "confirm")
    assert str(people.state("isograd")["tests"][-1]["confirms"]) == second


@pytest.mark.parametrize("activity", ["confirm", "report-of"])
@pytest.mark.parametrize("before", ["nothing", "an open test", "a classmate's", "another one's"])
def test_who_has_no_finished_test_reads_which_to_take(
    people: People, activity: str, before: str
) -> None:
    two = people.pair()
    mail = f"{two.ann}@example.edu"
    if before == "an open test":
        people.place(two.ann, mail, "tosa")
    if before == "a classmate's":
        finished(people, two.bob)
    if before == "another one's":
        finished(people, two.ann, "tosa-other-link")
    calls = people.state("isograd")["calls"]
    page = people.click(two.ann, mail, activity)
    assert (page.status, code_of(page)) == (409, "take-first")
    assert "“The test tosa”" in page.text
    after = people.state("isograd")["calls"]
    assert [after.get(one) for one in ("58", "6")] == [calls.get(one) for one in ("58", "6")]
    assert people.attempt(two.ann, activity).state == "created"


def test_the_report_is_of_the_learners_own_test(people: People) -> None:
    two = people.pair()
    for user in (two.ann, two.bob):
        own = finished(people, user)
        place = people.place(user, f"{user}@example.edu", "report-of")
        (test,) = [one for one in people.state("isograd")["tests"] if str(one["pla_tst_id"]) == own]
        assert test["token"] in place


# What is personal and fixed is refused when it is written, by name

FIXED = [
    ("tosa", "act_id = 58, pla_tst_id = '7'", "pla_tst_id: is one student's test"),
    ("tosa", "act_id = 58", "of_activity: is missing"),
    ("tosa", "act_id = 58, of_activity = 'nothing'", "of_activity: 'tosa' has no activity"),
    ("tosa", "act_id = 58, of_activity = 'mettl'", "of_activity: 'tosa' has no activity"),
    ("tosa", "act_id = 6, tst_frm_id = '1', pla_tst_id = 7", "pla_tst_id: is one student's"),
    ("tosa", "act_id = 6, tst_frm_id = '1', of_activity = 'x'", "'tosa' has no activity 'x'"),
    ("tosa-lti", "act_id = 58, of_activity = 'tosa-lti'", "act_id: a student's own earlier test"),
    ("tosa-lti", "act_id = 58, pla_tst_id = '$X.y'", "pla_tst_id: is one student's test"),
    ("tosa-lti", "act_id = 6, tst_frm_id = '1', of_activity = 'tosa-lti'", "on the api route only"),
    ("tosa", "act_id = 8, gen_id = 3, tst_frm_id = '1', ext_id = 'S1'", "ext_id: is one student's"),
    ("tosa", "act_id = 8, gen_id = 3, tst_frm_id = '1', psw = 'secret'", "psw: is one student's"),
    ("tosa", "act_id = 2, tst_frm_id = '1', cpf_id = 'C1'", "cpf_id: is one student's"),
    ("tosa", "act_id = 8, gen_id = 3, tst_frm_id = '1', can_id = '1'", "can_id: is one student's"),
    (
        "tosa",
        "act_id = 8, gen_id = 3, tst_frm_id = '1', ema = 'a@b.c'",
        "ema: comes from the launch",
    ),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """`config check` of one activity of a connection."""
    from tests.flow.people import CONFIG, PROV

    folder: Path = tmp_path_factory.mktemp("written")
    url = "http://127.0.0.1:9"
    values = dict.fromkeys(("bridge", "isograd", "mettl", "itep"), url)
    head = CONFIG.format(
        **values,
        prov=PROV.format(prov=url),
        database="sqlite:///x.sqlite3",
        folder=folder,
        former="http://localhost:9",
    )
    people = People(None, "", {})  # type: ignore[arg-type]

    def check(connection: str, settings: str) -> Any:
        path = folder / "config.toml"
        activity = f'\n[[activity]]\nid = "one"\ntitle = "One"\nconnection = "{connection}"\n'
        path.write_text(f"{head}{activity}settings = {{ {settings} }}\n", encoding="utf-8")
        people.bridge = type("Bridge", (), {"config": path})  # type: ignore[assignment]
        return people.run("config", "check")

    return check


@pytest.mark.parametrize(("connection", "settings", "said"), FIXED)
def test_what_is_personal_and_fixed_is_refused(
    written: Callable[..., Any], connection: str, settings: str, said: str
) -> None:
    result = written(connection, settings)
    assert (result.exit_code, said in result.output) == (1, True), result.output
    assert "secret'" not in result.output


@pytest.mark.parametrize("name", ["ext_id", "psw", "cpf_id"])
def test_as_a_variable_it_is_each_learners_own(written: Callable[..., Any], name: str) -> None:
    settings = f"act_id = 8, gen_id = 3, tst_frm_id = '1', {name} = '$Person.sourcedId'"
    result = written("tosa", settings)
    assert result.exit_code == 0, result.output
