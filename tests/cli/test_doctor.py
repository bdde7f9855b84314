"""What the doctor says before there is a database to ask."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from lti_bridge.cli import main


def test_before_migrate_the_doctor_names_that_and_nothing_that_follows_from_it(
    tmp_path: Path, empty_database_url: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[bridge]\ndatabase_url = "{empty_database_url}"\nkeys_dir = "{tmp_path}/keys"\n'
        f'queue_url = "sqlite:///{tmp_path}/queue.sqlite3"\n'
        '[[connection]]\nname = "practice"\nkind = "demo"\nlms = ["invited"]\n'
        'base_url = "https://provider.example.edu"\napi_key = "key-of-the-test"\n'
    )
    said = CliRunner().invoke(main, ["doctor", "--json", "--config", str(config)])
    assert said.exit_code == 1
    wrong = [one for one in json.loads(said.stdout) if one["remedy"]]
    assert [one["what"] for one in wrong] == ["database"]
    assert "lti-bridge migrate" in wrong[0]["remedy"]
