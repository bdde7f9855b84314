#!/bin/sh
# granian 2.8.9, WSGI: a header value with one byte outside ASCII arrives as empty text.
#
# Valid input: RFC 9110, 5.5 lets a field value hold bytes from 0x80 on (obs-text), and browsers send
# cookies as UTF-8. PEP 3333 gives every header as text of its bytes (latin-1).
# Seen: HTTP_COOKIE is '' for "a=1; portal=José", so the cookie a is lost too; by ASGI the same server
# passes the bytes. Expected: 'a=1; portal=JosÃ©'.
# The script ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT
server=
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check granian==2.8.9
cat > app.py <<'PY'
def wsgi(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [repr(environ.get("HTTP_COOKIE")).encode()]


async def asgi(scope, receive, send):
    value = dict(scope["headers"]).get(b"cookie")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": repr(value).encode()})
PY
cat > ask.py <<'PY'
import socket
import sys
import time

for _ in range(200):
    try:
        client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.1)
cookie = "Cookie: a=1; portal=José\r\n".encode()
client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + cookie + b"\r\n")
print(client.makefile("rb").read().partition(b"\r\n\r\n")[2].decode())
PY
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
for interface in wsgi asginl; do
  venv/bin/granian --interface "$interface" --port "$port" "app:${interface%nl}" >log.txt 2>&1 &
  server=$!
  venv/bin/python ask.py "$port" >"$interface.txt"
  echo "granian 2.8.9 $interface: $(cat "$interface.txt")"
  kill "$server"; wait "$server" 2>/dev/null || true
done
grep -qF "''" wsgi.txt && grep -qF 'portal=Jos\xc3\xa9' asginl.txt
