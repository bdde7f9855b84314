"""One port has one server: a used one is refused before anything is done."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask

from lti_bridge.cli import main
from lti_bridge.errors import ConfigurationError
from lti_bridge.sandbox import serving
from lti_bridge.serving import open_port


def plain() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def sharing() -> socket.socket:
    """One that lets others listen beside it."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", 0))
    made.listen()
    return made


def everywhere() -> socket.socket:
    return socket.create_server(("0.0.0.0", 0))


@pytest.mark.parametrize("listen", [sharing, everywhere])
def test_a_used_port_is_refused_before_anything_is_made(
    listen: Callable[[], socket.socket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with listen() as used:
        port = used.getsockname()[1]
        ran = CliRunner().invoke(main, ["serve", "--port", str(port)])
    assert ran.exit_code == 1
    assert f"Port {port} of 127.0.0.1 is in use" in ran.output
    assert "--port" in ran.output
    assert "is listening" not in ran.output
    assert not list(tmp_path.iterdir())


def test_the_database_of_a_refused_server_is_not_touched(
    empty_database_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[bridge]\ndatabase_url = "{empty_database_url}"\nkeys_dir = "{tmp_path}/keys"\n'
        f'queue_url = "sqlite:///{tmp_path}/queue.sqlite3"\n'
    )
    with plain() as used:
        arguments = ["serve", "--config", str(config), "--port", str(used.getsockname()[1])]
        assert CliRunner().invoke(main, arguments).exit_code == 1
    assert [one.name for one in tmp_path.iterdir()] == ["config.toml"]
    if not empty_database_url.startswith("sqlite"):
        assert CliRunner().invoke(main, ["doctor", "--config", str(config)]).exit_code == 1


def test_a_demo_is_refused_too() -> None:
    with plain() as used:
        port = used.getsockname()[1]
        ran = CliRunner().invoke(main, ["demo", "--port", str(port)])
    assert ran.exit_code == 1
    assert f"Port {port} of 127.0.0.1 is in use" in ran.output
    assert "Starting" not in ran.output


def test_a_pretend_party_shares_no_port() -> None:
    running = serving.start(lambda url: Flask("party"))
    with pytest.raises(OSError, match="in use"):
        serving.start(lambda url: Flask("other"), port=int(running.url.rsplit(":", 1)[1]))
    running.stop()


def test_a_port_of_ours_is_nobody_elses() -> None:
    with open_port("127.0.0.1", 0) as ours:
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        other = socket.socket()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with other, pytest.raises(OSError, match="in use"):
            other.bind(ours.getsockname())


@pytest.mark.parametrize(
    ("host", "said"), [("no.such.host.invalid", "no address"), ("192.0.2.1", "cannot be had")]
)
def test_an_address_of_another_machine_is_named(host: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        open_port(host, 0)


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """Nagle's algorithm and a client's delayed ACK would cost 40 ms at each answer."""
    with open_port("127.0.0.1", 0) as ours:
        assert ours.proto == socket.IPPROTO_TCP  # asyncio asks for that
