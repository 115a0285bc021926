"""Signing in and out, and what is shown to whoever may not read."""

from __future__ import annotations

import re

from aiohttp import web

from alerts.pages.access import Access, Visitor
from alerts.pages.html import html, not_before, refused
from alerts.pages.posts import FORM, body, form_of, see
from alerts.pages.refusal import Refusal

_NEXT = re.compile(r"/incidents(?:[/?][!-\[\]-~]*)?")
"""Pages of ours alone: printable ASCII without a backslash, which browsers take for a slash."""


def next_of(path: str) -> str:
    """Where to go after signing in."""
    return path if _NEXT.fullmatch(path) else "/incidents"


class Entry:
    """Belongs to the loop of the HTTP server."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def ask(self, request: web.Request) -> web.Response:
        """The form, or onwards for who is signed in already."""
        path = next_of(request.query.get("next", ""))
        if self._access.who(request) is not None:
            return see(path)
        return self._form(request, path)

    async def sign_in(self, request: web.Request) -> web.Response:
        fields = form_of(await body(request, FORM))
        path, name = next_of(fields.get("next", "")), fields.get("name", "")
        try:
            made = self._access.sign_in(request, name, fields.get("token", ""))
        except Refusal as refusal:
            shown = html("sign_in.html", Visitor(), refusal.status, next=path, why=refusal.why)
            return not_before(refusal, shown)
        answer = see(path)
        self._access.keep(answer, made)
        return answer

    async def sign_out(self, request: web.Request) -> web.Response:
        who = self._access.who(request)
        if who is not None:
            self._access.check_form(request, who, form_of(await body(request, FORM)).get("form", ""))
        answer = see("/incidents")
        self._access.forget(answer)
        return answer

    def closed(self, request: web.Request) -> web.Response:
        """To whoever may not read."""
        if request.path.startswith("/api/"):
            return refused(request, Refusal(401, "show the token as a bearer token"))
        return self._form(request, next_of(request.path_qs), 401)

    def _form(self, request: web.Request, path: str, status: int = 200) -> web.Response:
        """Who comes from another site sends no session that he may have: he is led here once more."""
        if not self._access.signs_in:
            why = "these pages are reached through the proxy that knows you, or nobody signs in to them"
            return refused(request, Refusal(403, why))
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            return html("again.html", Visitor(), next=path)
        return html("sign_in.html", Visitor(), status, next=path, why="")
