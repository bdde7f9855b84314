"""A pytest plugin that says which test proves which conformance item, and how each test ended."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ITEMS_FILE = Path(__file__).with_name("items.toml")


def load_items() -> dict[str, dict[str, Any]]:
    """Read items.toml: "groups" (prefix -> title) and "items" (id -> level, section, asks)."""
    return tomllib.loads(ITEMS_FILE.read_text(encoding="utf-8"))


def group_of(item_id: str) -> str:
    """The group of an item, for example OA1 for OA1-05."""
    return item_id.split("-")[0]


def junit_name(node_id: str) -> str:
    """The class name and name under which pytest writes this node id into a junit file."""
    address, bracket, params = node_id.partition("[")
    module, *names = address.split("::")
    module = re.sub(r"\.py$", "", module).replace("/", ".")
    return ".".join([module, *names]) + bracket + params


class SpecPlugin:
    """Checks the spec markers at collection and, if given a file, writes ids and outcomes to it."""

    def __init__(self, out: Path | None) -> None:
        self.out = out
        self.ids: dict[str, list[str]] = {}
        self.outcomes: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)  # before -k and -m take tests away
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        known = load_items()["items"]
        for item in items:
            marked = [i for mark in item.iter_markers("spec") for i in mark.args]
            if marked:
                self.ids[item.nodeid] = sorted(set(marked))
        wrong = [f"{node}: {i}" for node, ids in self.ids.items() for i in ids if i not in known]
        if wrong:
            raise pytest.UsageError("unknown conformance ids\n" + "\n".join(wrong))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid] = report.outcome

    def pytest_sessionfinish(self) -> None:
        if self.out:
            content = {"ids": self.ids, "outcomes": self.outcomes}
            self.out.write_text(json.dumps(content, indent=1), encoding="utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--spec-json", type=Path, help="write conformance ids and outcomes there")


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")  # of pytest-xdist; the controller hears all reports
    config.pluginmanager.register(SpecPlugin(None if is_worker else config.option.spec_json))
