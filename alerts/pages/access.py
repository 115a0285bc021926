"""Who asks: by a session, by a bearer token, or by the word of a proxy; and whether a form is ours.

Without configuration everybody reads and nobody acts. What a browser sends is believed only with a form
token bound to its session, and from a page of ours by its `Origin` (OWASP, Cross-Site Request Forgery
Prevention).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from alerts.pages import session
from alerts.pages.attempts import Attempts
from alerts.pages.refusal import Refusal
from alerts.pages.session import SESSION_MS, Session
from alerts.settings_pages import PROXIES, Pages
from streams.commands import MOST_NAME, safe
from streams.trust import trust

log = logging.getLogger("alerts.pages")

COOKIE = "carrier_health_session"
CLOSED = (
    "nobody may act on these pages: set pages.token, or pages.user_header with pages.trusted_proxies, or use "
    "`carrier-health incidents`"
)
NOT_OURS = "the form is of another session or of another site: open the page again and send it from there"


class Who(NamedTuple):
    """`bound_to` is what forms of this person carry the token of, '' for a program."""

    name: str
    bound_to: str = ""


class Visitor(NamedTuple):
    """What pages need to know of whoever looks at them."""

    name: str = ""
    form_token: str = ""
    """'' for who can not act."""
    acts: bool = False
    """Whether anybody may."""
    signs_in: bool = False
    path: str = ""
    """Where he is."""


class Access:
    """Belongs to the loop of the HTTP server. `now_ms` is wall time; `public_url` is where people reach the
    pages, '' where it is not known."""

    def __init__(self, settings: Pages, public_url: str, now_ms: Callable[[], int]) -> None:
        self._settings, self._now_ms = settings, now_ms
        secret = settings.token.reveal().encode() or secrets.token_bytes(32)
        self._sessions, self._forms = session.key_of(secret, "session"), session.key_of(secret, "form")
        self._is_proxy = trust(settings.trusted_proxies, PROXIES)
        public = urlsplit(public_url)
        self._public_host, self._secure = public.netloc, public.scheme == "https"
        self._attempts = Attempts()

    @property
    def acts(self) -> bool:
        """Whether anybody may act here at all."""
        return self._settings.act

    @property
    def signs_in(self) -> bool:
        """Whether people sign in with a token; otherwise a proxy says who they are."""
        return bool(self._settings.token)

    def visitor(self, request: web.Request) -> Visitor:
        """Raises Refusal as `who`."""
        who = self.who(request)
        token = self.form_token(who) if who and who.bound_to else ""
        return Visitor(who.name if who else "", token, self.acts, self.signs_in, request.path_qs)

    def reads(self, request: web.Request) -> bool:
        """Whether the request may see anything."""
        return not self._settings.sign_in_to_read or self.who(request) is not None

    def who(self, request: web.Request) -> Who | None:
        """The person or the program that asks, None for nobody known. Raises Refusal for a wrong bearer
        token."""
        return self._by_proxy(request) or self._by_session(request) or self._by_bearer(request)

    def form_token(self, who: Who) -> str:
        return session.form_token(self._forms, who.bound_to)

    def check_form(self, request: web.Request, who: Who, given: str) -> None:
        """Raises Refusal for a form that no page of ours has sent in this session."""
        self.check_origin(request)
        if not who.bound_to or not session.same(given, self.form_token(who)):
            raise Refusal(403, NOT_OURS)

    def check_origin(self, request: web.Request) -> None:
        """Raises Refusal for what a browser sends from elsewhere, or does not say from where."""
        origin = urlsplit(request.headers.get("Origin", "")).netloc
        if not origin or origin not in (request.host, self._public_host):
            raise Refusal(403, NOT_OURS)

    def sign_in(self, request: web.Request, name: str, token: str) -> Session:
        """Raises Refusal for a wrong token, an empty name, or a form of another site."""
        name = safe(name, MOST_NAME)
        self.check_origin(request)
        if not self.signs_in:
            raise Refusal(403, CLOSED)
        self._check_token(request, token)
        if not name:
            raise Refusal(400, "the name is empty: what you do is kept with it")
        return Session(name, self._now_ms() + SESSION_MS, secrets.token_hex(8))

    def keep(self, response: web.StreamResponse, made: Session) -> None:
        """The session as a cookie that no script reads and no other site sends."""
        value = session.sealed(made, self._sessions)
        response.set_cookie(
            COOKIE, value, max_age=SESSION_MS // 1000, httponly=True, samesite="Strict", secure=self._secure
        )

    def forget(self, response: web.StreamResponse) -> None:
        response.del_cookie(COOKIE, httponly=True, samesite="Strict", secure=self._secure)

    def _by_proxy(self, request: web.Request) -> Who | None:
        """The header counts only once, and only from a proxy that is known."""
        header = self._settings.user_header
        named = request.headers.getall(header, []) if header else []
        if len(named) != 1 or not self._is_proxy(request.remote or ""):
            return None
        name = safe(named[0], MOST_NAME)
        return Who(name, f"proxy {name}") if name else None

    def _by_session(self, request: web.Request) -> Who | None:
        value = request.cookies.get(COOKIE, "")
        found = session.opened(value, self._sessions, self._now_ms()) if self.signs_in and value else None
        return Who(found.name, value) if found else None

    def _by_bearer(self, request: web.Request) -> Who | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not self.signs_in:
            return None
        self._check_token(request, token.strip())
        return Who("")

    def _check_token(self, request: web.Request, token: str) -> None:
        address, now_s = self._address(request), self._now_ms() / 1000
        wait_s = self._attempts.wait_s(address, now_s)
        if wait_s:
            raise Refusal(429, f"too many wrong tokens: wait {wait_s} s", wait_s)
        if not session.same(token, self._settings.token.reveal()):
            self._attempts.wrong(address, now_s)
            log.warning("a wrong token for the incident pages, from %s", address)
            raise Refusal(403, "the token is wrong")

    def _address(self, request: web.Request) -> str:
        """Of the client; behind a proxy that is known, as that tells it."""
        peer = request.remote or ""
        told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        return told if told and self._is_proxy(peer) else peer
