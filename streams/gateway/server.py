"""The HTTP server that providers call: aiohttp's requests in, answers out.

    head -> door -> token -> body -> signature -> accept -> produce -> answer
No access log: URLs hold tokens, bodies hold numbers.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from confluent_kafka import KafkaError
from multidict import CIMultiDict
from prometheus_client import Counter

from streams.clock import WallClock
from streams.codes import CodeBook
from streams.discreet import discreet_logger
from streams.exposition import Bins
from streams.gateway import answers, request, signature, webhook
from streams.gateway.accept import NO_TOPIC_BEFORE, PARAMETERS_HEADER, Taken, take
from streams.gateway.answers import Reply
from streams.gateway.doors import PROXIES, Door, Endpoint, every_door
from streams.gateway.produce import Headers, Item, Writer
from streams.gateway.recent import Recent
from streams.gateway.request import Request
from streams.label_values import Answer
from streams.metrics import REQUEST_BOUNDS_S, Metrics
from streams.privacy import RecipientHasher
from streams.records import UNKNOWN, Malformed, encode
from streams.settings import Settings
from streams.source import Source
from streams.topics import DEAD_LETTERS
from streams.trust import trust

IDEMPOTENCY_TOKEN = "I-Twilio-Idempotency-Token"
KEEPALIVE_S = 75.0
"""Longer than proxies keep their connections; also the most that a head behind the first one may take."""
NOBODY = "none"
RequestFactory = Callable[[Any, Any, Any, Any, Any], web.BaseRequest]


class Server(web.Server):
    """aiohttp's low-level server with a limit of connections, and of the time to the first head of each."""

    def __init__(self, handler: Any, make: RequestFactory, most: int, head_s: float, **options: Any) -> None:
        super().__init__(handler, request_factory=self._begun, **options)
        self._make, self._most, self._head_s = make, most, head_s
        self._open = 0
        self._silent: dict[Any, asyncio.TimerHandle] = {}
        """Connections that have not asked anything yet, and when they are cut off."""

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open += 1
        if self._open > self._most:
            transport.abort()
        else:
            loop = asyncio.get_running_loop()
            self._silent[handler] = loop.call_later(self._head_s, transport.abort)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open -= 1
        self._has_spoken(handler)

    def _begun(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        self._has_spoken(protocol)
        return self._make(message, payload, protocol, writer, task)

    def _has_spoken(self, handler: Any) -> None:
        timer = self._silent.pop(handler, None)
        if timer is not None:
            timer.cancel()


class Gateway:
    """Answers one request after the other; the state is the producer's and what was seen lately."""

    def __init__(self, settings: Settings, metrics: Metrics, writer: Writer) -> None:
        """Raises ConfigError for sources that can not be read."""
        config = settings.gateway
        found = every_door(settings)
        self._doors: request.Doors = {(d.source, d.endpoint): d for d in found}
        self._sources = _sources(settings, {d.source for d in found if d.endpoint is not Endpoint.WEBHOOK})
        self._dead_letters = settings.topic(DEAD_LETTERS)
        self._most_bytes, self._read_timeout_s = config.max_body_bytes, config.read_timeout_s
        self._base = request.public_base(config.public_url, trust(config.trusted_proxies, PROXIES))
        self._clock = WallClock(settings.clock)
        self._writer, self._recent = writer, Recent()
        self._count, self._durations = Counts(metrics), Durations(metrics)
        metrics.gateway_in_flight_records.set_function(lambda: writer.in_flight)

    def server(self, settings: Settings) -> Server:
        """What listens. Call it in the loop that serves."""
        return Server(
            self.handle,
            self._request,
            settings.gateway.max_connections,
            self._read_timeout_s,
            access_log=None,
            logger=discreet_logger(),
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=1.0,
        )

    async def handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        asked = Request(raw.method, raw.raw_path, raw.headers, self._base(raw.remote or "", raw.headers))
        door = request.door_of(self._doors, asked)
        if isinstance(door, Reply):
            name, endpoint, reply = UNKNOWN, NOBODY, door
        else:
            name, endpoint = door.source, door.endpoint.value
            reply = await self._answer(door, asked, raw)
        self._count(name, endpoint, reply.answer)
        self._durations.add(endpoint, loop.time() - started_s)
        return _response(reply)

    async def _answer(self, door: Door, asked: Request, raw: web.BaseRequest) -> Reply:
        if asked.headers.get("Content-Encoding", "identity").lower() != "identity":
            return answers.ENCODED
        if not door.signed and (reply := request.refusal(door, asked, b"")):
            return reply
        body = await self._body(raw)
        if isinstance(body, Reply):
            return body
        if door.signed and (reply := request.refusal(door, asked, body)):
            return reply
        if door.endpoint is Endpoint.WEBHOOK:
            return await self._webhook(door, asked, body)
        repeat = _repeat_key(door, asked)
        known = self._recent.get(repeat) if repeat else None
        if known is not None:
            return _settled(await asyncio.shield(known), Reply(Answer.REPEATED))
        value, given = request.record_of(door, asked, body)
        taken = take(self._sources[door.source], door.endpoint, value, given)
        write = self._writer.send(self._items(door, taken, given))
        if write is None:
            return answers.UNAVAILABLE
        if repeat and not taken.unreadable:
            self._recent.put(repeat, write)
        return _settled(await asyncio.shield(write), answers.written(door.format, taken))

    async def _webhook(self, door: Door, asked: Request, body: bytes) -> Reply:
        """A command for the incident desk, which knows a repeat by its id."""
        delivery = asked.headers.get(webhook.ID_HEADER, "")
        command = webhook.command_of(body, delivery, self._clock.now_ms())
        if command is None:
            return Reply(Answer.IGNORED)
        if isinstance(command, Malformed):
            return answers.refused(Answer.MALFORMED, command.reason, command.detail)
        write = self._writer.send([Item(door.topic, command.record_key, encode(command), [])])
        if write is None:
            return answers.UNAVAILABLE
        return _settled(await asyncio.shield(write), Reply(Answer.ACCEPTED))

    async def _body(self, raw: web.BaseRequest) -> bytes | Reply:
        """The whole body, or why it is not read."""
        if (raw.content_length or 0) > self._most_bytes:
            return answers.too_large(self._most_bytes)
        if raw.headers.get("Expect", "").lower() == "100-continue":
            await raw.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            raw.writer.output_size = 0
        try:
            if raw.content.is_eof():
                return await raw.read()
            async with asyncio.timeout(self._read_timeout_s):
                return await raw.read()
        except web.HTTPRequestEntityTooLarge:
            return answers.too_large(self._most_bytes)
        except TimeoutError:
            return answers.TOO_SLOW
        except web.RequestPayloadError:
            return answers.BROKEN

    def _items(self, door: Door, taken: Taken, given: Mapping[str, str]) -> list[Item]:
        """The records of a request, all with one receipt time; `source` and `received_ms` come first,
        where ingest reads them fastest."""
        came: Headers = [
            ("source", door.source.encode()),
            ("received_ms", str(self._clock.now_ms()).encode()),
        ]
        items = [Item(door.topic, record.key, record.value, came) for record in taken.records]
        for value, why in taken.unreadable:
            told = [
                *came,
                ("reason", why.reason.encode()),
                ("detail", why.detail.encode()),
                ("source_topic", door.topic.encode()),
                ("source_partition", NO_TOPIC_BEFORE.encode()),
                ("source_offset", b"-1"),
                *([(PARAMETERS_HEADER, urlencode(given).encode())] if given else []),
            ]
            items.append(Item(self._dead_letters, None, value, told))
        return items

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        loop, most = asyncio.get_running_loop(), self._most_bytes + 1
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)


def _sources(settings: Settings, names: Collection[str]) -> Mapping[str, Source]:
    """As ingest reads them, with its key: some formats' message ids hold the recipient's hash."""
    codes, hasher = CodeBook(settings.code_tables), RecipientHasher(settings.privacy.recipient_key)
    return {s.name: Source.of(s, codes, hasher=hasher) for s in settings.sources if s.name in names}


class Counts:
    """`gateway_requests_total`, each series looked up once."""

    def __init__(self, metrics: Metrics) -> None:
        self._counter = metrics.gateway_requests_total
        self._series: dict[tuple[str, str, Answer], Counter] = {}

    def __call__(self, source: str, endpoint: str, answer: Answer) -> None:
        key = (source, endpoint, answer)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._counter.labels(source, endpoint, answer.value)
        series.inc()


class Durations:
    """`gateway_request_duration_seconds`: a count by endpoint and bound."""

    def __init__(self, metrics: Metrics) -> None:
        names = [*(e.value for e in Endpoint), NOBODY]
        self._counts = {name: [0] * (len(REQUEST_BOUNDS_S) + 1) for name in names}
        self._sums = dict.fromkeys(names, 0.0)
        keys = [(name,) for name in names]
        metrics.gateway_request_duration_seconds.provide(
            lambda: Bins(keys, [list(c) for c in self._counts.values()], list(self._sums.values()))
        )

    def add(self, endpoint: str, duration_s: float) -> None:
        self._counts[endpoint][bisect_left(REQUEST_BOUNDS_S, duration_s)] += 1
        self._sums[endpoint] += duration_s


def _repeat_key(door: Door, asked: Request) -> tuple[str, str] | None:
    """What a repeated callback has in common with the first: the token, and a signature over the rest."""
    token = asked.headers.get(IDEMPOTENCY_TOKEN) if door.signed else None
    return (token, asked.headers[signature.HEADER]) if token else None


def _settled(error: int, reply: Reply) -> Reply:
    if not error:
        return reply
    if error == KafkaError.MSG_SIZE_TOO_LARGE:
        return answers.refused(Answer.TOO_LARGE, "too_large", "a record is larger than Kafka takes")
    return answers.UNAVAILABLE


def _response(reply: Reply) -> web.Response:
    status = answers.STATUS[reply.answer]
    headers: CIMultiDict[str] = CIMultiDict(Server="carrier-health")
    if not reply.words:
        return web.Response(status=status, headers=headers)
    good = reply.answer in answers.GOOD
    headers["Content-Type"] = "text/plain" if good else "application/json"
    if reply.allow:
        headers["Allow"] = reply.allow
    if status == 503:
        headers["Retry-After"] = str(answers.RETRY_AFTER_S)
    response = web.Response(status=200 if good else status, body=reply.words, headers=headers)
    if reply.answer in answers.ENDING:
        response.force_close()
    return response
