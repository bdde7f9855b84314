"""The pretend LMS of a measurement: its key set, and an outcome service that counts."""

from __future__ import annotations

import asyncio
import json
import sys
import time

ANSWER = (
    b'<?xml version="1.0" encoding="UTF-8"?><imsx_POXEnvelopeResponse xmlns="http://www.imsglobal'
    b'.org/services/ltiv1p1/xsd/imsoms_v1p0"><imsx_POXHeader><imsx_POXResponseHeaderInfo>'
    b"<imsx_version>V1.0</imsx_version><imsx_messageIdentifier>1</imsx_messageIdentifier>"
    b"<imsx_statusInfo><imsx_codeMajor>success</imsx_codeMajor><imsx_severity>status"
    b"</imsx_severity><imsx_description>ok</imsx_description></imsx_statusInfo>"
    b"</imsx_POXResponseHeaderInfo></imsx_POXHeader><imsx_POXBody><replaceResultResponse/>"
    b"</imsx_POXBody></imsx_POXEnvelopeResponse>"
)


class Counted:
    """How many grades arrived since the last look, and when the first and the last one did."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def look(self) -> bytes:
        """The count as JSON; it starts again from zero."""
        times, self.times = self.times, []
        seconds = times[-1] - times[0] if times else 0.0
        return json.dumps({"count": len(times), "seconds": seconds}).encode()


class Lms(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, key_set: bytes, counted: Counted) -> None:
        self._key_set = key_set
        self._counted = counted
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when the request is complete."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0] or 0)
        if found and len(body) >= length:
            self._received = b""
            content = self._answer(head)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
            self._transport.write(head % len(content) + content)  # type: ignore[attr-defined]

    def _answer(self, head: bytes) -> bytes:
        if head.startswith(b"POST"):
            self._counted.times.append(time.monotonic())
            return ANSWER
        return self._key_set if head.startswith(b"GET /jwks") else self._counted.look()


async def _serve(port: int, key_set: bytes) -> None:
    counted = Counted()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Lms(key_set, counted), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.stdin.buffer.read()))
