"""Structured one-line events that hold no secret and nothing about a learner.

A room logs an event name and facts: `logger.info("grade.delivered", extra={"ref": ref, "ms": 12})`.
Only the facts named in FIELDS are written, so a forgotten `extra` cannot leak; and what is
written is searched for tokens and addresses all the same.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from json import dumps
from typing import TextIO

from lti_bridge.errors import BridgeError

FIELDS = (
    "ref registration connection activity attempt grade delivery code status ms count size kid"
    " reason host path method state try kind roles worker port version file mark"
)
_FIELDS = tuple(FIELDS.split())
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SEARCHED = 8  # times as much as is written, for what is left out makes room
_MESSAGE_LIMIT = 1_000
_VALUE_LIMIT = 200
_GONE = "[redacted]"
# of the request that this thread answers; every line about it carries it
_current: ContextVar[str] = ContextVar("reference", default="")

# Every pattern takes a time that grows with the text only: strangers choose what is in it. A run of
# characters is begun at its first one, never again at each of the others.
_REDACTIONS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", _GONE),
        (r"\b(bearer)(?:\s|%20)+[^\s\"',;]+", rf"\1 {_GONE}"),
        (r"\b(basic)(?:\s|%20)+[\w+/-]{12,}=*", rf"\1 {_GONE}"),
        (r"eyJ[\w-]{8,}(?:\.[\w-]*)*", _GONE),
        (r"(\w://)[^\s/@]+@", rf"\1{_GONE}@"),
        # their last part is a secret
        (r"(/hooks/[\w.-]+/|/lti/register/|/admin/enter/)[^\s?\"']+", rf"\1{_GONE}"),
    )
)
_NAME = re.compile(r"(?<![\w-])([\w-]+)[\"']?\s*(?:[=:]|%3D)\s*[\"']?", re.IGNORECASE)
_NAME_LIMIT = 80  # of a name's end, where the word stands
_SECRET_NAME = re.compile(
    r"\b(?:oauth_(?:signature|token|nonce)|[\w-]*(?:secret|password|passwd|cookie|token)"
    r"|authorization|(?:client_)?assertion|code_verifier|nonce|\w*hint"
    r"|\w*sourced_?id|api[_-]?key)\Z",
    re.IGNORECASE,
)
_VALUE = re.compile(r"[^\s&\"',;}]+")
_WORD = re.compile(r"[^\s\"']+")
_LOCAL = r"[\w.!#$&'*+/=?^`{|}~%-]"
_MAIL = re.compile(rf"(?<!{_LOCAL}){_LOCAL}+(?:@|%40)[\w.-]*", re.IGNORECASE)
# Names and ids: of the patterns above only that of tokens could match them.
_HARMLESS = re.compile(r"(?!.*eyj)[\w.-]*", re.IGNORECASE | re.ASCII)


def configure(level: str = "INFO", stream: TextIO | None = None, *, json: bool = False) -> None:
    """Write events of the bridge from `level` up, and warnings of libraries, to `stream`.

    The stream is standard error when left out. Lines are `key=value` text, or JSON objects with
    `json`. Libraries stay at WARNING: their debug lines quote whole URLs and messages. Calling
    it again replaces the former configuration.
    """
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(Formatter(json=json))
    root = logging.getLogger()
    for former in list(root.handlers):
        if isinstance(former, _Handler):
            root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("lti_bridge").setLevel(level)


def reference() -> str:
    """A short random id for one launch or failure, safe to read out: 10 characters, 50 bits."""
    return "".join([_CROCKFORD[byte % 32] for byte in secrets.token_bytes(10)])


def begin() -> None:
    """Give a request its reference: all lines from here on, in its thread, carry it."""
    _current.set(reference())


def fresh() -> str:
    """Begin something in this thread that is no request; its reference."""
    begin()
    return _current.get()


def end() -> None:
    """The request is answered; what is logged from now on is not about it."""
    _current.set("")


def current() -> str:
    """The reference of the request that is being answered; outside of any, a new one."""
    return _current.get() or reference()


def redact(text: str, limit: int = _MESSAGE_LIMIT) -> str:
    """`text` on one line of at most `limit` characters, without tokens and e-mail addresses."""
    whole, text = text, text[: _SEARCHED * limit]
    if not _HARMLESS.fullmatch(text):
        for pattern, replacement in _REDACTIONS:
            text = pattern.sub(replacement, text)
        text = _MAIL.sub(_GONE, _without_secrets(_WORD.sub(_without_query, text)))
    if len(text) > limit:
        text = text[:limit] + "…"
    elif len(whole) > _SEARCHED * limit:  # its last word was cut, and may be half of an address
        text = "".join(text.rpartition(" ")[:2]) + "…"
    if text.isprintable():
        return text
    # Line breaks, terminal escapes, direction marks and lone surrogates alike.
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _without_query(word: re.Match[str]) -> str:
    """A word of the text; of an address, what comes behind its question mark is left out."""
    address, _, query = word[0].partition("?")
    if not query or not ("/" in address or "." in address):
        return word[0]
    return f"{address}?{_GONE}"


def _without_secrets(text: str) -> str:
    """The text without the values of what is named like a secret."""
    parts, done = [], 0
    for name in _NAME.finditer(text):
        if name.start() < done or not _SECRET_NAME.search(name[1][-_NAME_LIMIT:]):
            continue
        if value := _VALUE.match(text, name.end()):
            parts += [text[done : name.end()], _GONE]
            done = value.end()
    return "".join([*parts, text[done:]])


class Formatter(logging.Formatter):
    """One line per event: time, level, logger, event, the allowed facts, and the failure."""

    def __init__(self, *, json: bool = False) -> None:
        super().__init__()
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; nothing of the record is written that is not named here."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "event": redact(record.getMessage()),
        }
        if "ref" not in record.__dict__ and (ref := _current.get()):
            line["ref"] = ref
        for name in _FIELDS:
            if name in record.__dict__:
                line[name] = _plain(record.__dict__[name])
        if record.exc_info and record.exc_info[1]:
            line["failure"] = _failure(record.exc_info[1])
        if self._json:
            return dumps(line)
        facts = list(line.items())
        return " ".join(
            [f"{line['time']} {line['level']}", *(f"{k}={_quoted(v)}" for k, v in facts[2:])]
        )


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        """Say that a line could not be written; logging's own way prints its arguments."""
        try:
            self.stream.write(f"log.failed logger={record.name} line={record.lineno}\n")
        except (OSError, ValueError):  # the disk is full, the stream is closed
            return


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value), _VALUE_LIMIT)


def _quoted(value: object) -> str:
    text = str(value)
    if text and not re.search(r"[\s=\"\\]", text):
        return text
    return dumps(text, ensure_ascii=False)


def _failure(err: BaseException) -> str:
    """Types and places of an exception and its causes, without other people's texts.

    The text of our own errors is written for the log. Texts of libraries quote parameters of
    queries and rejected input, so of those only the operating system's reason is kept.
    """
    parts: list[str] = []
    cause: BaseException | None = err
    while cause is not None and len(parts) < 4:
        text = str(cause) if isinstance(cause, BridgeError) else getattr(cause, "strerror", None)
        said = f": {redact(str(text))}" if text else ""
        frames = [
            f"{frame.f_globals.get('__name__', '?')}:{line}"
            for frame, line in traceback.walk_tb(cause.__traceback__)
        ]
        parts.append(f"{type(cause).__name__}{said} at {' > '.join(frames[-6:])}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return " <- ".join(parts)
