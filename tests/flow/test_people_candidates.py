"""Two learners with one e-mail address never share a candidate, a test or a grade; on each engine.

At every kind, and at every place where the bridge names a person to a provider.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.flow.people import People, code_of, running_people
from tests.flow.waiting import gone_on
from tests.flow.world import eventually

PARTY = {"t": "isograd", "m": "mettl", "p": "prov"}


@pytest.fixture(scope="module")
def people(each_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """Everybody, on each engine; each test has learners and an address of its own."""
    with running_people(tmp_path_factory.mktemp("people"), each_database) as made:
        yield made


# Where the first learner is, and who is refused afterwards: at which activity, of which LMS.
SHARED = [
    pytest.param("tosa", "tosa", "campus", id="isograd-8-a-classmate"),
    pytest.param("tosa", "tosa", "twin", id="isograd-8-another-lms"),
    pytest.param("tosa", "tosa-other-link", "twin", id="isograd-another-link"),
    pytest.param("tosa", "tosa-known", "campus", id="isograd-2"),
    pytest.param("tosa", "tosa-new", "campus", id="isograd-9"),
    pytest.param("tosa", "tosa-area", "campus", id="isograd-38-own-pages"),
    pytest.param("tosa", "tosa-candidate", "campus", id="isograd-1-own-pages"),
    pytest.param("tosa", "tosa-report", "campus", id="isograd-6-report"),
    pytest.param("tosa", "tosa-lti", "twin", id="isograd-lti-after-api"),
    pytest.param("tosa-lti", "tosa", "twin", id="isograd-api-after-lti"),
    pytest.param("tosa-lti", "tosa-lti", "campus", id="isograd-lti"),
    pytest.param("mettl", "mettl", "campus", id="mettl-a-classmate"),
    pytest.param("mettl", "mettl", "twin", id="mettl-another-lms"),
    pytest.param("mettl", "mettl-delete", "campus", id="mettl-deletes-a-result"),
    pytest.param("prov-mail", "prov-mail", "campus", id="prov-with-an-address"),
]


@pytest.mark.parametrize(("first", "then", "lms"), SHARED)
def test_the_second_learner_with_an_address_is_refused(
    people: People, first: str, then: str, lms: str
) -> None:
    two = people.pair()
    people.place(two.ann, two.mail, first)
    party = PARTY[first[0]]
    before = people.state(party)
    same = f" {two.mail.replace('ann.', 'ANN.').replace('edu', 'EDU')} "  # as mailboxes go
    page = people.click(two.bob, same, then, lms)
    assert (page.status, code_of(page)) == (409, "candidate-taken")
    assert people.parties[party].url not in page.text
    after = people.state(party)
    for rows in ("tests", "candidates", "events", "credits", "launches"):
        assert after.get(rows) == before.get(rows), rows
    assert people.attempt(two.bob, lms=lms).state == "created"
    log = people.bridge.log()
    assert "candidate-taken" in log
    assert two.mail not in log.lower()
    people.place(two.ann, two.mail, first)  # who was first goes on


@pytest.mark.parametrize("activity", ["tosa-plus", "mettl-names", "prov", "prov-asked", "itep"])
def test_where_the_provider_gets_another_address_or_id_both_have_their_own(
    people: People, activity: str
) -> None:
    two = people.pair()
    pages = [
        people.click(two.ann, two.mail, activity),
        people.click(two.bob, two.mail, activity, "twin"),
    ]
    assert {page.status for page in pages} <= {200, 302, 303}
    assert len({page.headers.get("Location") or page.text for page in pages}) == 2
    found = {people.attempt(two.ann).reference, people.attempt(two.bob, lms="twin").reference}
    assert len(found) == 2
    local, host = two.mail.split("@")
    if activity == "tosa-plus":
        made = {one["ema"] for one in people.state("isograd")["candidates"][-2:]}
        assert len(made) == 2
        assert all(one.startswith(f"{local}+") and one.endswith(f"@{host}") for one in made)
    if activity == "mettl-names":
        assert two.mail not in str(people.state("mettl")["candidates"])


@pytest.mark.parametrize("activity", ["tosa", "tosa-lti", "mettl"])
def test_of_many_at_once_one_learner_has_the_address(people: People, activity: str) -> None:
    mail = people.pair().mail
    users = [(f"{activity}-{number}", ("campus", "twin")[number % 2]) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        pages = list(pool.map(lambda who: people.click(who[0], mail, activity, who[1]), users))
        pages = [page for page, _ in pool.map(lambda one: gone_on(one, 0.5), pages)]
    assert sorted(code_of(page) for page in pages) == ["", *["candidate-taken"] * 5]


def test_the_grade_goes_to_who_sat_the_test(people: People) -> None:
    two = people.pair()
    people.place(two.ann, two.mail, "tosa")
    people.click(two.bob, two.mail, "tosa", "twin")
    reference = people.attempt(two.ann).reference
    people.pull("isograd", "finish", pla_tst_id=reference, num_val=640)
    eventually(lambda: people.score(two.ann), "640/1000")
    assert people.attempt(two.bob, lms="twin").poll_at is None
    assert people.score(two.bob, lms="twin") == ""


@pytest.mark.parametrize("activity", ["tosa", "mettl"])
def test_forgetting_one_touches_nobody_else(people: People, activity: str) -> None:
    two, party = people.pair(), PARTY[activity[0]]
    people.place(two.ann, two.mail, activity)
    people.click(two.bob, two.mail, activity, "twin")
    before = people.state(party)["candidates"]
    people.ok("learners", "forget", "twin", two.bob, "--yes")
    assert people.state(party)["candidates"] == before
    # an attempt from before there were owners, of a learner who had the same candidate
    dan, ann = f"dan-{activity}", people.attempt(two.ann)
    people.click(dan, two.mail, activity, "twin")
    people.rows(
        "UPDATE attempts SET data = :data, reference = :reference, state = 'started'"
        " WHERE id = :id",
        data=ann.data,
        reference=ann.reference,
        id=people.attempt(dan, lms="twin").id,
    )
    assert code_of(people.click(dan, two.mail, activity, "twin")) == "candidate-taken"
    people.rows("DELETE FROM owners WHERE learner_id = :id", id=ann.learner_id)
    assert "another learner is the same" in people.ok("learners", "forget", "twin", dan, "--yes")
    assert people.state(party)["candidates"] == before


def test_what_is_forgotten_is_free_and_what_could_not_be_stays_taken(people: People) -> None:
    gone, kept = people.pair(), people.pair()
    people.place(gone.ann, gone.mail, "tosa")
    people.place(kept.ann, kept.mail, "mettl")  # Mettl keeps what is not finished
    people.ok("learners", "forget", "campus", gone.ann, "--yes")
    said = people.run("learners", "forget", "campus", kept.ann, "--yes", "--anyway")
    assert "NOT forgotten there" in said.output
    assert people.place(gone.bob, gone.mail, "tosa", "twin")
    assert code_of(people.click(kept.bob, kept.mail, "mettl", "twin")) == "candidate-taken"


def test_staff_find_who_has_it_and_move_or_free_it(people: People) -> None:
    two = people.pair()
    first = people.place(two.ann, two.mail, "tosa")
    people.click(two.bob, two.mail, "tosa", "twin")
    shown = people.json("attempts", "show", people.attempt(two.bob, lms="twin").id)
    (detail,) = {one["detail"] for one in shown["changes"] if one["state"] == "created"}
    owned = detail.split()[1]
    (found,) = people.json("owners", "list", owned)
    assert (found["registration"], found["user"]) == ("campus", two.ann)
    assert found["what"] == "candidate"
    assert two.mail not in people.ok("owners", "list")

    people.ok("owners", "move", owned, "twin", two.bob, "--yes")
    assert code_of(people.click(two.ann, two.mail, "tosa")) == "candidate-taken"
    # the address is bob's now, the candidate's number and its open test are ann's still
    assert code_of(people.click(two.bob, two.mail, "tosa", "twin")) == "candidate-taken"
    for one in people.json("owners", "list", "--user", "campus", two.ann):
        people.ok("owners", "move", one["id"], "twin", two.bob, "--yes")
    assert people.place(two.bob, two.mail, "tosa", "twin") == first
    (test,) = [
        one
        for one in people.json("owners", "list", "--user", "twin", two.bob)
        if one["what"] == "test"
    ]
    people.ok("owners", "free", test["id"], "--yes")
    assert people.json("owners", "list", test["id"]) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("free", "nothing", "--yes"), "Nobody has 'nothing'"),
        (("free", "", "--yes"), "Nobody has ''"),
        (("move", "nothing", "campus", "ann", "--yes"), "Nobody has 'nothing'"),
        (("move", "{owned}", "twin", "nobody", "--yes"), "No user 'nobody'"),
        (("free", "{owned}"), "free it for whoever comes next?"),
        (("list", "--user", "campus", "nobody"), "No user 'nobody'"),
    ],
)
def test_what_commands_refuse_changes_nothing(
    people: People, arguments: tuple[str, ...], said: str
) -> None:
    two = people.pair()
    people.place(two.ann, two.mail, "mettl")
    before = people.rows("SELECT id, learner_id FROM owners ORDER BY created_at")
    result = people.run("owners", *(one.format(owned=before[-1].id) for one in arguments))
    assert (result.exit_code, said in result.output) == (1, True), result.output
    assert people.rows("SELECT id, learner_id FROM owners ORDER BY created_at") == before


@pytest.mark.parametrize(
    ("activity", "path", "body"),
    [
        ("prov", "/api/events", '{"eventId": "EV1", "examUrl": ""}'),
        ("itep", "/api/fulfillment", '{"test-id": "123982B8AP", "password": "x"}'),
    ],
)
def test_a_test_that_is_another_learners_is_not_given_twice(
    people: People, activity: str, path: str, body: str
) -> None:
    two = people.pair()
    people.pull(activity, "fault", path=path, body=body, times=2)
    assert people.click(two.ann, two.mail, activity).status == 200
    page = people.click(two.bob, two.mail, activity, "twin")
    assert (page.status, code_of(page)) == (409, "test-taken")
    bob, ann = people.attempt(two.bob, lms="twin"), people.attempt(two.ann)
    assert (bob.state, bob.reference) == ("unclear", "")  # it may have been paid for
    people.let_time_pass()
    take_over = ("attempts", "resolve", bob.id, "--started", ann.reference, "--yes")
    result = people.run(*take_over)
    assert (result.exit_code, "another learner's" in result.output) == (1, True), result.output
    people.rows("DELETE FROM owners WHERE learner_id = :id", id=ann.learner_id)
    people.ok(*take_over)
    assert people.attempt(two.bob, lms="twin").state == "started"


def test_a_candidate_whose_address_was_changed_at_isograd_stays_who_it_is(people: People) -> None:
    """Isograd's console gives ann's candidate bob's address: bob would be ann's candidate."""
    two, mail = people.pair(), people.pair().mail
    people.place(two.ann, two.mail, "tosa")
    before = people.state("isograd")
    people.pull("isograd", "address", can_id=before["candidates"][-1]["can_id"], ema=mail)
    assert code_of(people.click(two.bob, mail, "tosa")) == "candidate-taken"
    assert people.state("isograd")["tests"] == before["tests"]


def test_attempts_from_before_are_entered_once(people: People) -> None:
    two = people.pair()
    people.place(two.ann, two.mail, "tosa")
    people.rows("DELETE FROM owners")
    people.rows("DELETE FROM counters WHERE name LIKE '%owners%'")
    people.ok("migrate")
    assert code_of(people.click(two.bob, two.mail, "tosa", "twin")) == "candidate-taken"
    people.place(two.ann, two.mail, "tosa")
