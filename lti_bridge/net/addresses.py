"""Which addresses may be called: checked URLs, and no private network unless it is allowed."""

from __future__ import annotations

import queue
import re
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from lti_bridge.errors import ConfigurationError, NetworkRefused
from lti_bridge.net.deadline import Call

# IANA special-purpose registries. Spelt out because ipaddress.is_global changes between patch
# releases of Python. 2001::/23 holds Teredo and 2002::/16 is 6to4: both carry an IPv4 address to
# who knows where. Of IPv6 only 2000::/3 is in use for the public.
_SPECIAL = """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
    224.0.0.0/4 240.0.0.0/4
    ::/3 4000::/2 8000::/1 2001::/23 2001:db8::/32 2002::/16 3fff::/20
"""
_NOT_PUBLIC = tuple(map(ip_network, _SPECIAL.split()))
_NAT64 = ip_network("64:ff9b::/96")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True)
class Target:
    """A checked URL; as text it names method, host and path only, never the query."""

    method: str
    scheme: str
    host: str
    port: int
    path: str
    query: str

    @classmethod
    def parse(cls, method: str, url: str) -> Target:
        """The target of a request. Raises NetworkRefused for what is never called."""
        if method not in _METHODS:
            raise NetworkRefused("a method that is not sent")
        if _UNSAFE_IN_URL.search(url):
            raise NetworkRefused("a URL with spaces, control characters or backslashes")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise NetworkRefused("a URL that cannot be read") from None
        if parts.scheme not in ("https", "http"):
            raise NetworkRefused("a URL that is neither https nor http")
        if "@" in parts.netloc:
            raise NetworkRefused("a URL with a user name or password")
        _check_host(host)
        if port is None:
            port = 443 if parts.scheme == "https" else 80
        # Ports below 1024 other than the web's own belong to mail, shells and directories.
        if port < 1024 and port not in (80, 443):
            raise NetworkRefused(f"{host}: port {port} is not a web server's")
        return cls(method, parts.scheme, host, port, parts.path or "/", parts.query)

    def __str__(self) -> str:
        port = "" if self.port in (80, 443) else f":{self.port}"
        return f"{self.method} {self.host}{port}{self.path}"[:200]


def _check_host(host: str) -> None:
    try:
        ip_address(host)
    except ValueError:
        # 2130706433, 0x7f.1 and 0177.0.0.1 are all 127.0.0.1 to the C library, or to none.
        if _NUMERIC_END.fullmatch(host) or not _NAME.fullmatch(host):
            raise NetworkRefused("a URL whose host is no host name or plain address") from None
    else:
        if "%" in host:
            raise NetworkRefused("a URL whose address names a network interface")


class Guard:
    """What every connection of one client obeys: which addresses, how long, how old."""

    def __init__(self, allow_private: Sequence[str], loopback: bool, idle_s: float) -> None:
        self.call = Call()
        self.idle_s = idle_s
        self.certificates: dict[str, float] = {}  # when they end, by host
        self._loopback = loopback
        self._names: set[str] = set()
        self._networks = []
        for entry in allow_private:
            try:
                self._networks.append(ip_network(entry))
            except ValueError as error:
                name = entry.lower().rstrip(".")
                if _NUMERIC_END.fullmatch(name) or not _NAME.fullmatch(name):
                    raise ConfigurationError(
                        "bridge.allow_private: no host name, address or network like"
                        f" 10.0.0.0/8: {error}"
                    ) from None
                self._names.add(name)

    def check(self, host: str, text: str, secure: bool) -> None:
        """Raise NetworkRefused unless this address of the host may be called, TLS or not."""
        address: IPv4Address | IPv6Address = ip_address(text)
        if address in _NAT64:  # the way to any IPv4 server in a network without IPv4
            address = IPv4Address(int(address) & 0xFFFF_FFFF)
        if host in self._names or (self._loopback and address.is_loopback):
            return
        if any(address in network for network in self._networks):
            return
        if not secure:
            raise NetworkRefused(f"{host}: only https is used outside allow_private")
        if any(address in network for network in _NOT_PUBLIC):
            raise NetworkRefused(f"{host}: its address is private and not in allow_private")

    def allows(self, host: str) -> bool:
        """Whether this host is no private address, or an allowed one, as far as its text says."""
        try:
            self.check(host, "127.0.0.1" if host == "localhost" else host, secure=True)
        except NetworkRefused:
            return False
        except ValueError:  # a name: its addresses are looked at when it is called
            return True
        return True


def look_up(host: str, port: int, wait_s: float) -> list[Any]:
    """getaddrinfo in a thread of its own, for it cannot be given a time limit."""
    answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as err:
            answers.put(err)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=wait_s)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer
