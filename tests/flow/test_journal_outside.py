"""What the journal has of strangers, of people who are forgotten, and after kill -9."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from click.testing import CliRunner

from lti_bridge.cli import main
from lti_bridge.core.journal import bounds
from tests.flow.browser import Browser
from tests.flow.campus11 import FORM, send
from tests.flow.rig import ONE, Rig
from tests.flow.scene import Scene
from tests.flow.world import HTTP, eventually

BATCH_S = 0.6  # a little more than hops wait until they are written
NAME, MAIL, TOKEN = "Canaryname", "canary.bird@example.edu", "canary-secret-4711"


@pytest.fixture
def quiet(fresh_scene: Scene) -> Scene:
    """A scene whose journal is empty, and stays so until something happens."""
    time.sleep(BATCH_S)
    fresh_scene.write("DELETE FROM hops")
    return fresh_scene


def journal(scene: Scene | Rig) -> list[Any]:
    """All rows, once what has happened is written."""
    time.sleep(BATCH_S)
    return scene.rows("SELECT * FROM hops ORDER BY id")


def test_a_killed_server_loses_no_more_than_the_last_second(quiet: Scene) -> None:
    bridge = quiet.world.bridge
    for number in range(5):
        quiet.open(quiet.campus, user_id=f"early-{number}")
    time.sleep(1.0)
    quiet.open(quiet.campus, user_id="late")
    for process in list(bridge.processes):
        bridge.kill(process)
    written = [row.learner_id for row in quiet.rows("SELECT learner_id FROM hops")]
    assert len(written) >= 5
    bridge.serve("--no-worker", "--workers", "2")


def test_an_orderly_stop_loses_nothing(quiet: Scene) -> None:
    bridge = quiet.world.bridge
    for number in range(3):
        quiet.open(quiet.campus, user_id=f"early-{number}")
    bridge.stop()
    assert len(quiet.rows("SELECT 1 FROM hops WHERE kind = 'launch'")) == 3
    bridge.serve("--no-worker", "--workers", "2")


def test_a_flood_of_refused_messages_fills_nothing(quiet: Scene) -> None:
    flood = 2 * bounds.REFUSED + 30  # two web processes, each with room of its own
    for _ in range(flood):
        fields = quiet.campus.fields(oauth_consumer_key="nobody")
        assert send(quiet.campus.url, [*fields, ("oauth_signature", "eA==")]).status == 401
    rows = journal(quiet)
    minutes = {row.at // 60_000 for row in rows}
    assert len(rows) <= 2 * bounds.REFUSED * len(minutes)
    assert {row.registration for row in rows} == {""}
    quiet.open(quiet.campus, user_id="meanwhile")
    eventually(lambda: len(quiet.rows("SELECT 1 FROM hops WHERE learner_id IS NOT NULL")), 1)


def knock_everywhere(scene: Scene) -> int:
    """Send canaries to every address that is traced; how many requests that were."""
    url = scene.world.bridge.url
    personal = {
        "lis_person_name_given": NAME,
        "lis_person_name_full": NAME,
        "lis_person_contact_email_primary": MAIL,
        "lis_result_sourcedid": TOKEN,
    }
    scene.open(scene.campus, **personal, user_id="ann")
    scene.campus.launch(**personal, user_id="bob", custom_activity="nowhere")
    send(scene.campus.url, [*scene.campus.fields(**personal), ("oauth_signature", TOKEN)])
    secret = f"{TOKEN}-{NAME}"
    gets = (
        f"/lti/login?iss=https://nobody.example.edu&login_hint={MAIL}&target_link_uri={url}&lti_message_hint={TOKEN}",
        f"/platform/authorize?client_id={NAME}&login_hint={MAIL}&state={TOKEN}&nonce={TOKEN}",
        f"/platform/return/{secret}?lti_msg={NAME}&lti_log={MAIL}",
        f"/hooks/tosa/{secret}?email={MAIL}&token={TOKEN}",
        f"/course/page/{secret}",
        f"/lti/register/{secret}?openid_configuration=https://{NAME}.example.edu/x?{TOKEN}",
        f"/platform/{secret}/lineitems?tag={MAIL}",
        f"/platform/{secret}/memberships?rlid={MAIL}",
    )
    posts = {
        "/lti/launch": f"id_token=eyJ{TOKEN}.{NAME}.x&state={TOKEN}",
        "/course/go-on": f"token={TOKEN}&name={NAME}",
        "/course/place": f"token={TOKEN}&title={NAME}",
        "/platform/deep-link": f"JWT=eyJ{TOKEN}.{NAME}.x",
        "/platform/token": f"grant_type=client_credentials&client_assertion={TOKEN}&scope={NAME}",
        "/platform/outcomes": f"<x>{NAME} {MAIL} {TOKEN}</x>",
        f"/platform/{secret}/lineitems/{secret}/scores": json.dumps({"userId": MAIL}),
        "/lti/notices/nobody": json.dumps({"notices": [{"jwt": f"eyJ{TOKEN}"}]}),
        "/platform/register": json.dumps({"client_name": NAME, "contacts": [MAIL]}),
    }
    headers = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"x={TOKEN}"}
    for path in gets:
        HTTP.request("GET", url + path, headers=headers, redirect=False)
    for path, body in posts.items():
        sent = {**headers, "Content-Type": FORM}
        HTTP.request("POST", url + path, headers=sent, body=body, redirect=False)
    return 3 + len(gets) + len(posts)


def test_no_name_address_token_or_secret_comes_into_the_journal(quiet: Scene) -> None:
    knocks = knock_everywhere(quiet)
    rows = journal(quiet)
    assert len(rows) >= knocks - 2, [row.kind for row in rows]
    everything = str(rows)
    for canary in (NAME, MAIL, "canary.bird", TOKEN, "campus-secret", "ann", "bob", "cell-of"):
        assert canary not in everything, canary


def test_whoever_is_forgotten_is_in_no_trace(fresh_rig: Rig) -> None:
    rig = fresh_rig
    time.sleep(BATCH_S)
    rig.write("DELETE FROM hops")
    sitting = rig.sit("old", learner="ann-the-learner")
    rig.sit("old", learner="bea-the-learner")
    assert rig.report(sitting, "0.5", ONE).said == (200, "success")
    eventually(lambda: rig.grade(sitting)["delivery"], "delivered")
    rig.click(Browser(), "old", "late", "ann-the-learner")  # refused: it is closed
    rig.click(Browser(), "old", "late", "cid-who-never-was")
    found = journal(rig)
    assert {row["kind"] for row in found} >= {"launch", "outcome", "delivery"}
    (ann,) = rig.rows("SELECT id FROM learners WHERE user_id = 'ann-the-learner'")
    hers = [row for row in found if row["learner_id"] == ann["id"]]
    assert {row["kind"] for row in hers} >= {"launch", "outcome", "delivery"}
    assert [row["code"] for row in hers if row["code"]] == ["not-open"]
    forget(rig, "ann-the-learner")
    left = journal(rig)
    gone = {ann["id"], *(row["attempt_id"] for row in hers), *(row["grade_id"] for row in hers)}
    for name in (*(gone - {None}), "ann-the-learner"):
        assert name not in str(left)
    assert len(left) == len(found) - len(hers)
    assert len([row for row in left if row["person"]]) == 1
    forget(rig, "cid-who-never-was", known=False)
    assert [row for row in journal(rig) if row["person"]] == []


def forget(rig: Rig, user: str, *, known: bool = True) -> None:
    """`learners forget` as staff give it."""
    words = ["learners", "forget", "old", user, "--yes", "--config", str(rig.bridge.config)]
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 0, ran.output
    assert ("Forgotten here" in ran.output) or not known
