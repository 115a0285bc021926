"""A request as the gateway judges it: whose it is, whether it may, and what it holds. Pure.

aiohttp's objects stay outside: `Request` is all that counts of one.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from streams.decode.envelope import PARAMETERS
from streams.gateway import answers, form, signature, webhook
from streams.gateway.answers import Reply
from streams.gateway.doors import Door, Endpoint

FORM = "application/x-www-form-urlencoded"
TOKEN = "token"
_BEARER = "bearer "

Doors = Mapping[tuple[str, str], Door]
"""By source and endpoint."""


class Request(NamedTuple):
    """`target` is the path with its query, as it was sent. `base` is the public URL before the target,
    '' when nobody who is trusted told it."""

    method: str
    target: str
    headers: Mapping[str, str]
    base: str

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


def door_of(doors: Doors, request: Request) -> Door | Reply:
    """The door that the path names, if the method may use it."""
    parts = request.target.partition("?")[0].split("/")
    door = doors.get((unquote(parts[2]), parts[3])) if len(parts) == 4 and parts[:2] == ["", "v1"] else None
    if door is None:
        return answers.NOT_FOUND
    if request.method == "POST" or (request.method == "GET" and door.by_query):
        return door
    return answers.wrong_method("GET, POST" if door.by_query else "POST")


def refusal(door: Door, request: Request, body: bytes) -> Reply | None:
    """Why the sender is not believed; None when it is."""
    if door.endpoint is Endpoint.WEBHOOK:
        given = request.headers.get(webhook.HEADER, "")
        return None if webhook.is_signed(door.secrets, given, body) else answers.FORBIDDEN_WEBHOOK
    if door.signed:
        return None if _is_signed(door, request, body) else answers.FORBIDDEN_SIGNATURE
    return None if _has_token(door, request) else answers.FORBIDDEN_TOKEN


def _is_signed(door: Door, request: Request, body: bytes) -> bool:
    given = request.headers.get(signature.HEADER, "")
    if not given or not request.base:
        return False
    fields: form.Fields = []
    if request.headers.get("Content-Type", "").lower().startswith(FORM):
        text = body.decode("utf-8", "replace")
        if not form.is_plain(text):
            return False
        fields = form.fields_of(text)
    elif not signature.has_hash(body, form.fields_of(request.query)):
        return False
    settings = request.headers.get(signature.SETTINGS_HEADER, "")
    return signature.is_signed(door.secrets, given, request.base, request.target, fields, settings)


def _has_token(door: Door, request: Request) -> bool:
    header = request.headers.get("Authorization", "")
    if header[: len(_BEARER)].lower() == _BEARER:
        given = header[len(_BEARER) :].strip()
    else:
        given = next((value for name, value in form.fields_of(request.query) if name == TOKEN), "")
    sent = given.encode("utf-8", "surrogatepass")
    return any([hmac.compare_digest(secret, sent) for secret in door.secrets])


def record_of(door: Door, request: Request, body: bytes) -> tuple[bytes, Mapping[str, str]]:
    """The record that a believed request carries, and the parameters of the URL that go with it."""
    if not request.query:
        return body, {}
    if door.by_query and not body:
        return form.without(request.query, {TOKEN}).encode("utf-8", "surrogateescape"), {}
    given = dict(reversed(form.fields_of(request.query)))  # the first of a name stands
    return body, {name: given[name] for name in PARAMETERS if name in given}


def public_base(
    public_url: str, is_trusted: Callable[[str], bool]
) -> Callable[[str, Mapping[str, str]], str]:
    """How the public URL of a request is found: from configuration, or from a trusted proxy.

    The function takes the peer's address and the headers. Of several values the last is the one of
    the nearest proxy.
    """
    fixed = public_url.rstrip("/")
    if fixed:
        return lambda peer, headers: fixed

    def of_proxy(peer: str, headers: Mapping[str, str]) -> str:
        if not is_trusted(peer):
            return ""
        scheme = _last(headers.get("X-Forwarded-Proto", ""))
        host = _last(headers.get("X-Forwarded-Host", ""))
        return f"{scheme}://{host}" if scheme in ("http", "https") and host else ""

    return of_proxy


def _last(listed: str) -> str:
    return listed.rpartition(",")[2].strip()
