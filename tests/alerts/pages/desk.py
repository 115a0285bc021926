"""Incident pages on which people act, without Kafka: what they ask for is taken as by the alerts role."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from alerts import commands
from alerts.pages import Desk, PageData, pages
from alerts.records import Incident, People, State, Transition
from alerts.review.evidence import Frozen
from alerts.review.report import Known, Review, review
from alerts.settings import Pages
from streams.commands import Command
from streams.errors import MonitorError
from streams.http import HttpServer, Readiness
from streams.metrics import Metrics, Role
from streams.networks import built_in
from streams.records import encode
from streams.settings import Secret
from tests.alerts.review.journal import START_S, incident
from tests.alerts.review.reviews import MADE_MS, events, told

TOKEN = "a-token-for-the-tests-of-pages"
OPEN_TO_ACT = Pages(token=Secret(TOKEN))
NOW_MS = (START_S + 4_200) * 1000
RUNBOOK = "https://wiki.example.org/sms"


@lru_cache(maxsize=8)
def _events(incident: Incident) -> tuple[Frozen, ...]:
    return tuple(events(incident))


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: str


class _Stay(urllib.request.HTTPRedirectHandler):
    """Shows a redirect instead of following it."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_Stay)


class Site:
    """Some incidents, and what people have asked for of them."""

    def __init__(self, *incidents: Incident) -> None:
        self.incidents = {i.key: i for i in incidents}
        self.transitions: dict[str, tuple[Transition, ...]] = {}
        self.asked: list[Command] = []
        self.error: Exception | None = None
        self.now_ms = NOW_MS
        self.data: dict[str, Any] = {}
        self.url = ""

    def read(self) -> PageData:
        known = tuple(self.incidents.values())
        display = built_in().display
        made = PageData(known, self.transitions, None, self.now_ms, display=display)
        return made._replace(**self.data)

    async def tell(self, command: Command) -> None:
        """As the broker and then the alerts role would: written, read again, applied."""
        if self.error is not None:
            raise self.error
        self.asked.append(command)
        read = commands.read(encode(command))
        assert read is not None, "it would be malformed"
        for one in commands.meant(self.incidents, read):
            change = commands.apply(one, read, one.last_bucket_s)
            if change is not None:
                self.incidents[one.key] = change.incident
                self.transitions[one.key] = (*self.transitions.get(one.key, ()), *change.transitions)

    async def review(self, one: Incident, known: Sequence[Incident]) -> Review:
        if self.error is not None:
            raise self.error
        """Evidence is frozen once: what people say changes nothing of it."""
        bare = msgspec.structs.replace(one, seq=0, people=People())
        written = [
            *_events(bare),
            *(Frozen(*msgspec.structs.astuple(t)) for t in self.transitions.get(one.key, ())),
        ]
        of = Known(known, {}, built_in().display, {"Runbook": RUNBOOK})
        return review(one, written, None, of, MADE_MS)

    def refuse(self, why: str) -> None:
        self.error = MonitorError(why)

    def get(self, path: str, **headers: str) -> Answer:
        return self._send(path, None, headers)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """A form, as a browser sends it from a page of this site."""
        return self._send(path, urlencode(fields).encode(), {"Origin": self.url} | headers)

    def post_json(self, path: str, value: object, **headers: str) -> Answer:
        return self._send(path, json.dumps(value).encode(), {"Content-Type": "application/json"} | headers)

    def sign_in(self, name: str = "ann", token: str = TOKEN) -> str:
        """The cookie of a session."""
        answer = self.post("/sign-in", {"name": name, "token": token})
        assert answer.status == 303, answer.body
        return answer.headers["Set-Cookie"].partition(";")[0]

    def form_token(self, path: str, **headers: str) -> str:
        """What the forms of that page carry."""
        return re.findall(r'name="form" value="([0-9a-f]+)"', self.get(path, **headers).body)[-1]

    def _send(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, named)
        try:
            with _opener.open(request, timeout=30) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode())
        except urllib.error.HTTPError as e:
            return Answer(e.code, e.headers, e.read().decode())


@contextmanager
def served(site: Site, settings: Pages = OPEN_TO_ACT, public_url: str = "") -> Iterator[Site]:
    """The site at `site.url`."""
    desk = Desk(settings, public_url, site.tell, lambda: site.now_ms)
    plug = pages(site.read, RUNBOOK, site.review, site.review, desk)
    with HttpServer(Metrics(Role.ALERTS), Readiness(), plugs=[plug]) as server:
        site.url = server.url
        yield site


def resolved(**changes: Any) -> Incident:
    """An incident that is over, paged, noted and judged."""
    return told(**changes)


def opened(**changes: Any) -> Incident:
    """The same while it lasts, before anybody has said anything."""
    fresh = {
        "state": State.OPEN,
        "resolved_bucket_s": None,
        "people": People(),
        "key": f"{incident().key}-open",
    }
    return msgspec.structs.replace(told(), **(fresh | changes))
