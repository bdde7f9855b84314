"""/metrics of running bridges: counts of all processes add up, and strangers learn nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from tests.flow.campus11 import send
from tests.flow.rig import ONE, TWO, Rig
from tests.flow.school import Err
from tests.flow.world import HTTP, PATIENCE_S, eventually
from tests.test_budgets import children

MONITORING = Path(__file__).parents[2] / "docs/monitoring"
TOKEN = "token-of-the-scraper"
SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
AT_ONCE = 12
WAIT_S = 11.0  # the database's figures are read once in ten seconds
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def watched(rig: Rig) -> Rig:
    """The rig with metrics switched on, before it is served."""
    told = f'[bridge]\nmetrics_token = "{TOKEN}"\nmetrics_dir = "{rig.bridge.folder}/metrics"\n'
    config = rig.bridge.config
    config.write_text(config.read_text().replace("[bridge]\n", told, 1))
    return rig


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, each_database: str) -> Iterator[Rig]:
    """A rig with two web processes, a worker and metrics."""
    made = watched(Rig(tmp_path_factory.mktemp("seen"), each_database))
    made.bridge.serve("--workers", "2")
    yield made
    made.stop()


def page(rig: Rig, token: str = TOKEN) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    answer = HTTP.request("GET", f"{rig.bridge.url}/metrics", headers=headers)
    assert answer.status == 200, answer.data
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return answer.data.decode()


def samples(rig: Rig) -> Samples:
    found: Samples = {}
    for line in page(rig).splitlines():
        if match := SAMPLE.fullmatch(line):
            labels = frozenset(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            assert (match[1], labels) not in found, line
            found[match[1], labels] = float(match[3])
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    """The sum of the samples of a metric that have these labels."""
    wanted = set(labels.items())
    return sum(n for (of, has), n in found.items() if of == name and wanted <= has)


def launched(rig: Rig, **labels: str) -> float:
    return value(samples(rig), "lti_bridge_launches_total", **labels)


def alive(rig: Rig) -> list[Path]:
    return sorted((rig.bridge.folder / "metrics").glob("*.alive"))


def test_counts_of_all_processes_add_up(seen: Rig) -> None:
    sent = launched(seen, outcome="browser-state") + refused_by_everybody(seen)
    before = samples(seen)
    assert launched(seen, outcome="browser-state") == sent
    with ThreadPoolExecutor(4) as pool:
        sittings = list(pool.map(lambda lms: seen.sit(lms), ["old", "new"] * 12))
        replies = list(pool.map(lambda one: seen.report(one, "0.5"), sittings))
    assert {reply.said for reply in replies} == {(200, "success")}
    assert seen.report(sittings[0], "0.9", TWO).status == 200  # about another's attempt: refused
    assert seen.post(b"nonsense", None).status == 401

    def grown(name: str, **labels: str) -> float:
        return value(samples(seen), name, **labels) - value(before, name, **labels)

    opened = {"message": "LtiResourceLinkRequest", "outcome": "opened"}
    for lms, lti in (("old", "1.1"), ("new", "1.3")):
        assert grown("lti_bridge_launches_total", registration=lms, lti=lti, **opened) == 12
        assert grown("lti_bridge_launch_seconds_count", lti=lti) == 12
        told = {"registration": lms, "outcome": "delivered"}
        eventually(lambda told=told: grown("lti_bridge_deliveries_total", **told), 12)
    assert grown("lti_bridge_grade_messages_total", way="outcome", outcome="taken") == 24
    assert grown("lti_bridge_grade_messages_total", way="outcome", outcome="refused") == 2
    assert grown("lti_bridge_grade_message_seconds_count", way="outcome") == 26
    assert grown("lti_bridge_delivery_seconds_count", outcome="delivered") == 24
    assert [_has_launched(path) for path in alive(seen)].count(False) == 1  # the worker


def refused_by_everybody(rig: Rig) -> int:
    """Send launches that are none until each web process has had one; how many were sent."""
    sent = 0

    def send_some() -> bool:
        nonlocal sent
        sent += AT_ONCE
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda _: _on_its_own(rig), range(AT_ONCE)))
        return sum(map(_has_launched, alive(rig))) == 2

    eventually(send_some, True)
    return sent


def _on_its_own(rig: Rig) -> None:
    with urllib3.PoolManager(retries=False, timeout=PATIENCE_S) as alone:
        assert alone.request("POST", f"{rig.bridge.url}/lti/launch", fields={}).status == 401


def _has_launched(alive: Path) -> bool:
    file = alive.with_name(f"counter_{alive.name.removesuffix('.alive')}.db")
    return b"lti_bridge_launches" in file.read_bytes()


def test_refused_launches_are_counted_by_their_code_and_by_nothing_a_stranger_wrote(
    seen: Rig,
) -> None:
    before = launched(seen, outcome="signature-refused")
    fields = {"lti_message_type": "evil", "lti_version": "LTI-1p0", "oauth_consumer_key": "evil"}
    refused = send(f"{seen.bridge.url}/lti/launch", list(fields.items()))
    assert 400 <= refused.status < 500
    for sent in ([("id_token", "evil")], [("evil", "evil")]):
        assert 400 <= send(f"{seen.bridge.url}/lti/launch", sent).status < 500
    HTTP.request("POST", f"{seen.bridge.url}/platform/evil/lineitems/evil/scores", body=b"evil")
    HTTP.request("POST", f"{seen.bridge.url}/hooks/evil/evil", body=b"evil")
    assert launched(seen, outcome="signature-refused") + launched(seen, registration="") > before
    found = samples(seen)
    assert value(found, "lti_bridge_grade_messages_total", way="hook", outcome="refused") >= 1
    assert value(found, "lti_bridge_grade_messages_total", way="score", outcome="refused") >= 1
    assert "evil" not in page(seen)


def test_nothing_about_people_courses_or_attempts_is_told(seen: Rig) -> None:
    sitting = seen.sit("old", learner="ann-exampleton")
    seen.report(sitting, "0.5")
    told = page(seen)
    for secret in ("ann-exampleton", "course-1", "link-best", sitting.sourced_id, TOKEN, "old-key"):
        assert secret not in told


WRONG = (None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"bearer{TOKEN}")
NEARLY = (f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xe4\xf6")


@pytest.mark.parametrize("authorization", [*WRONG, *NEARLY])
def test_without_the_token_nothing_is_told(seen: Rig, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = HTTP.request("GET", f"{seen.bridge.url}/metrics", headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert b"lti_bridge" not in answer.data
    assert HTTP.request("POST", f"{seen.bridge.url}/metrics").status == 405


def test_without_the_setting_there_is_no_such_address(tmp_path: Path) -> None:
    made = Rig(tmp_path, f"sqlite:///{tmp_path}/bridge.sqlite3")
    made.bridge.serve("--no-worker")
    for token in ("", "None", TOKEN):
        headers = {"Authorization": f"Bearer {token}"}
        assert HTTP.request("GET", f"{made.bridge.url}/metrics", headers=headers).status == 404
    assert not (tmp_path / "metrics").exists()
    made.stop()


def test_grades_that_do_not_arrive_are_seen(seen: Rig) -> None:
    waiting, no = (seen.sit("other") for _ in range(2))
    seen.school.errs[waiting.learner] = [Err(503)] * 90
    seen.school.errs[no.learner] = [Err(404)]
    seen.report(waiting, "0.5")
    seen.report(no, "0.5")
    of = {"registration": "other"}
    eventually(lambda: seen.grade(no)["delivery"], "refused")
    time.sleep(WAIT_S)
    found = samples(seen)
    assert value(found, "lti_bridge_grades_pending", **of) == 1
    assert 5 < value(found, "lti_bridge_oldest_pending_grade_seconds", **of) < 120
    assert value(found, "lti_bridge_grades_for_people", state="refused", **of) == 1
    assert value(found, "lti_bridge_database_writable") == 1
    assert ("lti_bridge_queue_hints", frozenset()) in found
    assert value(found, "lti_bridge_deliveries_total", outcome="pending", **of) >= 1
    assert value(found, "lti_bridge_deliveries_total", outcome="refused", **of) == 1


def test_no_count_falls_when_processes_die(seen: Rig) -> None:
    seen.sit("new")
    before = samples(seen)
    files = {path.name for path in alive(seen)}
    for pid in children(seen.bridge.processes[0].pid):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len({path.name for path in alive(seen)} - files), 3)
    after = samples(seen)
    for (name, labels), count in before.items():
        if name.endswith(("_total", "_count", "_bucket")):
            assert after.get((name, labels), 0.0) >= count, (name, labels)
    assert len(alive(seen)) == 3  # what the dead have counted is in one place
    total = value(before, "lti_bridge_launches_total")
    assert value(after, "lti_bridge_launches_total") == total
    seen.report(seen.sit("new"), "0.5", ONE)
    eventually(lambda: launched(seen), total + 1)


def test_rules_board_and_handbook_name_metrics_that_there_are(seen: Rig) -> None:
    sitting = seen.sit("new")
    seen.report(sitting, "0.5")
    eventually(lambda: seen.grade(sitting)["delivery"], "delivered")
    told = page(seen)
    gauges = set(
        re.findall(r"^# TYPE (\w+) gauge$", told, re.M)
    )  # without samples when all is well
    there = gauges | {name for name, _ in samples(seen)}
    for path in (MONITORING / "alerts.yml", MONITORING / "board.json"):
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(r"\blti_bridge_\w+", text))
        assert len(named) > 8
        assert named - there == set(), path.name
    families = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in there}
    handbook = (MONITORING.parent / "operating.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(lti_bridge_\w+)`", handbook, re.M)) == families


def test_the_board_and_the_rules_are_whole() -> None:
    board = json.loads((MONITORING / "board.json").read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in board["panels"]:
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")"), panel["title"]
    rules = (MONITORING / "alerts.yml").read_text(encoding="utf-8").split("- alert: ")[1:]
    for rule in rules:
        for key in ("expr:", "severity:", "summary:", "action:"):
            assert rule.count(key) == 1, rule
        assert rule.count("(") == rule.count(")")


def test_what_will_be_counted_begins_at_zero(seen: Rig) -> None:
    found = samples(seen)
    waiting = {"registration": "next", "outcome": "refused"}
    assert found["lti_bridge_deliveries_total", frozenset(waiting.items())] == 0
    asked = {"connection": "one", "outcome": "failed"}
    assert found["lti_bridge_polls_total", frozenset(asked.items())] == 0
