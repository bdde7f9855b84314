"""A small browser for flow tests: cookies by host, redirects, and forms as HTML spells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3

MAX_HOPS = 10


@dataclass
class Form:
    """One HTML form of a page."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
            self._inside = True
        elif tag == "input" and self._inside and given.get("name"):
            kind = given.get("type", "text")
            if kind not in ("radio", "checkbox", "submit") or "checked" in given:
                self.forms[-1].fields.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


@dataclass
class Page:
    """What a request ended in."""

    url: str
    status: int
    headers: urllib3.HTTPHeaderDict
    text: str

    def forms(self) -> list[Form]:
        """All forms, in order."""
        parser = _Forms()
        parser.feed(self.text)
        return parser.forms

    @property
    def asks(self) -> bool:
        """Whether it asks before another attempt begins."""
        return any(name == "number" for form in self.forms() for name, _ in form.fields)

    def form(self, number: int = 0) -> Form:
        """The form of that number."""
        forms = self.forms()
        assert len(forms) > number, f"no form on {self.url} ({self.status}):\n{self.text[:1500]}"
        return forms[number]


class Browser:
    """Cookies are kept per host name and ignore ports, as in a real browser."""

    def __init__(self) -> None:
        self.pool = urllib3.PoolManager(retries=False, timeout=60)
        self.cookies: dict[str, dict[str, str]] = {}

    def get(self, url: str) -> Page:
        """Open an address, following redirects."""
        return self.request("GET", url)

    def post(self, url: str, fields: list[tuple[str, str]] | dict[str, str]) -> Page:
        """Send a form, following redirects."""
        return self.request("POST", url, urlencode(fields, encoding="utf-8"))

    def submit(self, page: Page, number: int = 0, **changes: str) -> Page:
        """Submit a form of a page, with some fields changed or added."""
        form = page.form(number)
        fields = [(name, value) for name, value in form.fields if name not in changes]
        fields += list(changes.items())
        action = urljoin(page.url, form.action) if form.action else page.url
        if form.method == "get":
            return self.get(f"{action}?{urlencode(fields)}")
        return self.post(action, fields)

    def anew(self, page: Page) -> Page:
        """Say yes where another attempt is asked about."""
        return self.submit(page) if page.asks else page

    def through(self, page: Page, until: str) -> Page:
        """Submit self-submitting forms until the page's address starts with `until`."""
        for _ in range(MAX_HOPS):
            if page.url.startswith(until):
                return page
            page = self.submit(page)
        raise AssertionError(f"never reached {until}, stuck at {page.url}")

    def request(self, method: str, url: str, body: str = "") -> Page:
        """One request and the redirects after it."""
        for _ in range(MAX_HOPS):
            host = urlsplit(url).hostname or ""
            headers = {"User-Agent": "flow-test", "Accept": "text/html"}
            jar = self.cookies.setdefault(host, {})
            if jar:
                headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
            if method == "POST":
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            answer = self.pool.request(
                method,
                url,
                headers=headers,
                body=body if method == "POST" else None,
                redirect=False,
            )
            self._keep(jar, answer.headers.getlist("Set-Cookie"))
            if answer.status not in (301, 302, 303, 307):
                return Page(url, answer.status, answer.headers, answer.data.decode())
            url = urljoin(url, answer.headers["Location"])
            if answer.status != 307:
                method, body = "GET", ""
        raise AssertionError(f"too many redirects at {url}")

    def _keep(self, jar: dict[str, str], cookies: list[str]) -> None:
        for cookie in cookies:
            pair, _, attributes = cookie.partition(";")
            name, _, value = pair.strip().partition("=")
            if "max-age=0" in attributes.lower():
                jar.pop(name, None)
            else:
                jar[name] = value
