#!/bin/sh
# CPython 3.11 asyncio: connections of a socket from socket.create_server() keep Nagle's algorithm on.
#
# Valid input: loop.create_server(sock=...) with a listening socket, as uvicorn does that is given
# sockets. asyncio sets TCP_NODELAY for its connections, but only where socket.proto is IPPROTO_TCP;
# socket.create_server() makes sockets whose proto is 0.
# Seen: TCP_NODELAY is 0 with such a socket and 1 with host and port, so an answer of two writes waits
# up to 40 ms for an acknowledgement. Expected: the same in both.
# Nothing is installed: both parts belong to Python. The script ends with 0 while that is so, and with
# 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
cat > look.py <<'PY'
import asyncio
import socket
import sys


async def look(**where):
    seen = asyncio.get_running_loop().create_future()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport):
            made = transport.get_extra_info("socket")
            seen.set_result(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    server = await asyncio.get_running_loop().create_server(Protocol, **where)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    found = await seen
    writer.close()
    server.close()
    return found


given = asyncio.run(look(sock=socket.create_server(("127.0.0.1", 0))))
named = asyncio.run(look(host="127.0.0.1", port=0))
print(f"Python {sys.version.split()[0]}: TCP_NODELAY {given} with a socket, {named} with host and port")
sys.exit(0 if not given and named else 1)
PY
venv/bin/python look.py
