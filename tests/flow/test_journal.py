"""The journal over running servers: what is found of clicks and grades, good and refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from lti_bridge.cli import main
from tests.flow.campus11 import Campus, send
from tests.flow.scene import TWIN_SECRET, Scene, launch13, refusal
from tests.flow.world import eventually

Show = Callable[[str], dict[str, Any]]


def command(scene: Scene, *words: str) -> Any:
    """What a command says, as JSON."""
    config = str(scene.world.bridge.config)
    ran = CliRunner().invoke(main, [*words, "--config", config, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def listed(scene: Scene, *words: str) -> list[dict[str, Any]]:
    """What `launches list` finds."""
    return list(command(scene, "launches", "list", *words))


def shown(scene: Scene, ref: str) -> dict[str, Any]:
    """What `launches show` finds, once it is written."""
    eventually(lambda: bool(scene.rows("SELECT 1 FROM hops WHERE ref = :ref", ref=ref)), True)
    return dict(command(scene, "launches", "show", ref))


def test_a_launch_is_found_by_who_where_and_what(fresh_scene: Scene) -> None:
    scene = fresh_scene
    scene.open(scene.campus, user_id="ann", context_id="course-7")
    eventually(lambda: len(listed(scene, "--user", "ann")), 1)
    (hop,) = listed(scene, "--user", "ann")
    assert (hop["kind"], hop["code"], hop["registration"]) == ("launch", "", "campus11")
    assert (hop["course"], hop["activity"], hop["user"]) == ("course-7", "plain", "ann")
    assert hop["checks"][:5] == ["form", "method", "signature", "time", "key"]
    for words in (
        ("--course", "course-7"),
        ("--activity", "plain"),
        ("--lms", "campus11"),
        ("--user", "ann", "--lms", "campus11"),
        ("--since", "2020-01-01"),
    ):
        assert [one["ref"] for one in listed(scene, *words)] == [hop["ref"]], words
    for words in (
        ("--course", "course-8"),
        ("--user", "bob"),
        ("--failed",),
        ("--until", "2020-01-01"),
    ):
        assert listed(scene, *words) == [], words


def test_a_wrong_secret_is_found_by_its_reference(fresh_scene: Scene) -> None:
    scene = fresh_scene
    fields = [pair for pair in scene.campus.signed(scene.campus.fields()) if pair[0] != "x"]
    wrong = [(n, "d3Jvbmc=" if n == "oauth_signature" else v) for n, v in fields]
    code, ref = refusal(send(scene.campus.url, wrong))
    (hop,) = shown(scene, ref)["hops"]
    assert (hop["code"], hop["checks"]) == (code, ["form", "method", "signature"])
    assert (hop["registration"], hop["proved"], hop["user"]) == ("campus11", False, "")
    assert hop["detail"] == "oauth: signature does not match"
    assert [one["ref"] for one in listed(scene, "--failed")] == [ref]
    assert [one["ref"] for one in listed(scene, "--code", code)] == [ref]
    ran = CliRunner().invoke(
        main, ["launches", "show", ref.lower(), "--config", str(scene.world.bridge.config)]
    )
    assert "failed at: signature; right before: form, method" in ran.output
    assert "LMS: campus11, as somebody claims" in ran.output
    assert "the page said: Go back to your course" in ran.output


def test_a_launch_by_lti_13_and_one_that_is_refused(fresh_scene: Scene) -> None:
    scene = fresh_scene
    page = launch13(scene, scene.second)
    assert page.status == 200, page.text
    eventually(lambda: len(listed(scene, "--kind", "login")), 1)
    eventually(lambda: len(listed(scene, "--lms", "second13")), 1)
    (hop,) = listed(scene, "--lms", "second13")
    before_the_message = "login, browser, token, registration, key-set, signature, "
    before_the_message += "issuer-and-client, times, nonce, deployment"
    assert ", ".join(hop["checks"]).startswith(before_the_message)
    code, ref = refusal(launch13(scene, scene.second, deployment="7"))
    (refused,) = shown(scene, ref)["hops"]
    assert (refused["code"], refused["checks"][-1]) == (code, "deployment")
    assert (refused["proved"], refused["user"]) == (True, hop["user"])


def test_an_unknown_reference_is_a_sentence(scene: Scene) -> None:
    ran = CliRunner().invoke(
        main, ["launches", "show", "NOSUCHREF0", "--config", str(scene.world.bridge.config)]
    )
    assert ran.exit_code == 1
    assert re.search(r"Nothing is known of the reference 'NOSUCHREF0'", ran.output)


def test_what_is_handed_on_names_no_other_lms(fresh_scene: Scene, tmp_path: Path) -> None:
    """The secret of another LMS is found out for the operator, and for nobody else."""
    scene = fresh_scene
    mixed_up = Campus(scene.campus.url, scene.campus.key, TWIN_SECRET)
    code, ref = refusal(send(mixed_up.url, mixed_up.signed(mixed_up.fields())))
    assert code == "signature"
    shown(scene, ref)
    config = str(scene.world.bridge.config)
    said = CliRunner().invoke(main, ["launches", "show", ref, "--config", config]).stdout
    assert "twin11" in said
    words = ["launches", "bundle", ref, "--out", str(tmp_path / "out"), "--config", config]
    assert CliRunner().invoke(main, words).exit_code == 0
    files = [file.read_text() for file in (tmp_path / "out").iterdir()]
    assert len(files) == 2
    for text in files:
        assert ref in text
        assert "signature" in text
        assert "twin11" not in text
