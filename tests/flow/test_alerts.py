"""Operators hear by mail and web hook of what is wrong: once, and that it is over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.mailbox import PASSWORD, TOKEN, USER, Hook, Mailbox, certificate, hook, mailbox
from tests.flow.rig import Rig
from tests.flow.world import PATIENCE_S, eventually

SETTINGS = """
[alerts]
mail_to = ["ops@example.edu", "more@example.edu"]
mail_from = "bridge@example.edu"
smtp_host = "127.0.0.1"
smtp_port = {port}
smtp_user = "{user}"
smtp_password = "{password}"
webhook_url = "{hook}"
webhook_token = "{token}"
every_s = 1
away_s = {away_s}
grades_older_s = {older_s}
"""
QUIET_S = 3.0  # in which nothing more is told


class Office:
    """A bridge with alerts, whose processes believe in the mail server's certificate."""

    def __init__(
        self, folder: Path, database: str, believed: Path, box: Mailbox, told: Hook
    ) -> None:
        self.rig = Rig(folder, database)
        self.box, self.told = box, told
        self.believed = believed
        self.processes: list[subprocess.Popen[bytes]] = []

    def configure(self, away_s: int = 1, older_s: int = 3600, more: str = "") -> None:
        """Write the settings of alerts into the configuration."""
        made = SETTINGS.format(
            port=self.box.port,
            user=USER,
            password=PASSWORD,
            hook=self.told.url,
            token=TOKEN,
            away_s=away_s,
            older_s=older_s,
        )
        config = self.rig.bridge.config
        config.write_text(config.read_text().replace("\n[[lms]]", f"{made}{more}\n[[lms]]", 1))

    def work(self, number: int = 1) -> None:
        """Start so many workers."""
        for _ in range(number):
            with (self.rig.bridge.folder / "log.txt").open("ab") as log:
                self.processes.append(
                    subprocess.Popen(self.command("worker"), stderr=log, env=self.environment)
                )

    def command(self, *words: str) -> list[str]:
        """A command of the bridge."""
        config = str(self.rig.bridge.config)
        return [sys.executable, "-m", "lti_bridge", *words, "--config", config]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the bridge's processes."""
        return {**os.environ, "SSL_CERT_FILE": str(self.believed)}

    def said(self, *words: str) -> tuple[int, str]:
        """What a command ends with and says."""
        done = subprocess.run(
            self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.returncode, done.stdout.decode()

    def stop(self) -> None:
        """Stop everything."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.rig.stop()


@pytest.fixture
def office(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    believed = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(believed))  # the web process tells of matters as well
    with mailbox(believed) as box, hook() as told:
        made = Office(tmp_path, database_url, believed, box, told)
        yield made
        made.stop()


def test_an_lms_that_is_away_is_told_once_and_so_is_its_end(office: Office) -> None:
    office.configure()
    rig = office.rig
    rig.bridge.serve("--no-worker")
    sittings = [rig.sit("other", learner=f"ann-exampleton-{number}") for number in range(4)]
    rig.school.down()
    for one in sittings:
        assert rig.report(one, "0.5").status == 200
    office.work(2)
    eventually(lambda: (len(office.box.mails), len(office.told.messages)), (1, 1))
    mail = office.box.mails[0]
    words = mail.get_content()
    assert mail["Subject"] == "LTI Bridge: other does not answer; 4 grades wait"
    assert mail["X-Envelope-To"] == "ops@example.edu,more@example.edu"
    assert rig.bridge.url in words
    assert "since 20" in words
    (matter,) = office.told.messages[0]["matters"]
    assert matter["matter"] == "away other"
    assert matter["state"] == "open"
    assert json.loads(office.said("alerts", "list", "--json")[1])[0]["key"] == "away other"
    time.sleep(QUIET_S)
    assert len(office.box.mails) == len(office.told.messages) == 1
    rig.school.up()
    eventually(lambda: [rig.grade(one)["delivery"] for one in sittings], ["delivered"] * 4)
    # whoever tried nothing since it came back knows so after 45 seconds
    eventually(lambda: (len(office.box.mails), len(office.told.messages)), (2, 2), 3 * PATIENCE_S)
    assert office.box.subjects[1].startswith("LTI Bridge: Over: other does not answer")
    assert "grades wait" in office.box.subjects[1]
    assert office.told.states == [("away other", "open"), ("away other", "over")]
    assert office.said("alerts", "list") == (0, "None.\n")
    everything = json.dumps(office.told.messages) + words + office.box.mails[1].get_content()
    for secret in ("ann-exampleton", "course-1", "link-best", TOKEN, PASSWORD):
        assert secret not in everything
    assert rig.bridge.log().count("event=alert.open") == 1


def test_what_could_not_be_told_is_told_later_by_that_way_alone(office: Office) -> None:
    office.configure(away_s=600, older_s=1)
    office.box.refuses = True
    rig = office.rig
    rig.bridge.serve("--no-worker")
    rig.report(rig.sit("other"), "0.5")  # nobody brings it
    eventually(lambda: office.told.states, [("late other", "open")])
    eventually(lambda: "alerts.not-sent" in rig.bridge.log(), True)
    assert office.box.mails == []
    assert "(not told)" in office.said("alerts", "list")[1]
    rig.write("UPDATE alerts SET claimed_until = 0 WHERE way = 'mail'")
    assert PASSWORD not in rig.bridge.log()


def test_a_mail_server_that_is_another_one_is_told_nothing(office: Office, tmp_path: Path) -> None:
    office.configure()
    office.believed = certificate(tmp_path, "127.0.0.2")
    status, said = office.said("alerts", "test")
    assert status == 1
    assert "certificate refused" in said
    assert "webhook: sent." in said
    assert office.box.mails == []


def test_a_test_is_sent_by_every_way_and_says_so(office: Office) -> None:
    office.configure()
    assert office.said("alerts", "test") == (0, "mail: sent.\nwebhook: sent.\n")
    assert office.box.subjects == ["LTI Bridge: this is a test"]
    office.told.status = 500
    status, said = office.said("alerts", "test")
    assert (status, "webhook: webhook: status 500" in said) == (1, True)


def test_without_a_way_the_test_says_what_is_missing(office: Office) -> None:
    status, said = office.said("alerts", "test")
    assert status == 1
    assert "neither mail_to nor webhook_url" in said
