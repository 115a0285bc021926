"""The gateway meets bytes that nobody means well: it answers or hangs up, keeps its memory, writes nothing.

Each attack goes over a socket of its own, byte for byte, as HTTP clients would not send it.
"""

from __future__ import annotations

import gzip
import re
import socket
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cramjam
import pytest

from streams.embedded import EmbeddedKafka
from tests.integration.gateway import (
    BEARER,
    FORM,
    GatewayProcess,
    Post,
    callback,
    events,
    make_topics,
    outcomes,
    post,
    written,
)

READ_S = 0.4
"""gateway.read_timeout_s here."""
SLACK_S = 8.0
"""On top, on a busy machine."""
CLOSED = 0
"""Stands for: hung up without an answer."""
ZEROS = b"\0" * 10_000_000
SIGNED = callback("SM-attack")
STATUS = b"POST /v1/twilio/status HTTP/1.1\r\nHost: a\r\n"
TOKEN = b"POST /v1/own/outcomes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n" % BEARER.encode()
OUTCOME = b'{"message_id":"attack","status":"delivered","received_ms":1}'


class Attacked(NamedTuple):
    """The gateway under attack, and how much memory it had before."""

    process: GatewayProcess
    kafka: EmbeddedKafka
    prefix: str
    before_kb: int


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, kafka: EmbeddedKafka) -> Iterator[Attacked]:
    prefix, folder = f"test-{uuid.uuid4().hex[:12]}-", tmp_path_factory.mktemp("attacked")
    make_topics(kafka.bootstrap_servers, prefix)
    with GatewayProcess(folder, kafka.bootstrap_servers, prefix, f"read_timeout_s = {READ_S}") as running:
        before_kb = resident_kb(running)
        yield Attacked(running, kafka, prefix, before_kb)


@pytest.fixture
def gateway(attacked: Attacked) -> GatewayProcess:
    return attacked.process


def resident_kb(gateway: GatewayProcess) -> int:
    told = Path(f"/proc/{gateway.process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", told, re.M)
    assert found is not None
    return int(found[1])


def sent(gateway: GatewayProcess, *pieces: bytes, patience_s: float = SLACK_S) -> int:
    """The status of the first answer to these bytes; CLOSED where there is none."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=patience_s) as wire:
        try:
            for piece in pieces:
                wire.sendall(piece)
        except OSError:
            pass  # it has said what it had to say
        return answered(wire)


def answered(wire: socket.socket) -> int:
    try:
        head = b""
        while b"\r\n" not in head and (more := wire.recv(4096)):
            head += more
    except ConnectionError:
        return CLOSED
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    return int(found[1]) if found else CLOSED


def with_body(head: bytes, body: bytes, *more: bytes) -> bytes:
    return head + b"".join(m + b"\r\n" for m in more) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def in_chunks(head: bytes, *chunks: bytes) -> bytes:
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\n"


@pytest.mark.parametrize("head", [STATUS, TOKEN], ids=["signed", "with a token"])
def test_a_body_of_ten_megabytes_is_refused_however_it_comes(gateway: GatewayProcess, head: bytes) -> None:
    assert sent(gateway, with_body(head, ZEROS)) in (413, CLOSED)
    assert sent(gateway, head + b"Content-Length: 10000000\r\n\r\n") == 413, "from its head alone"
    assert sent(gateway, in_chunks(head, *([ZEROS[:100_000]] * 100))) in (413, CLOSED)
    assert sent(gateway, head + b"Content-Length: 99999999999999999999\r\n\r\n") in (400, 413)


BOMBS = {
    "gzip": gzip.compress(ZEROS),
    "deflate": zlib.compress(ZEROS),
    "zstd": bytes(cramjam.zstd.compress(ZEROS)),
    "br": bytes(cramjam.brotli.compress(ZEROS)),
    "x-unheard-of": ZEROS[:1000],
    "gzip, gzip": gzip.compress(gzip.compress(ZEROS)),
}


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_compressed_bomb_is_not_opened(gateway: GatewayProcess, encoding: str) -> None:
    assert len(BOMBS[encoding]) < 20_000
    named = f"Content-Encoding: {encoding}".encode()
    assert sent(gateway, with_body(TOKEN, BOMBS[encoding], named)) == 415
    assert sent(gateway, with_body(STATUS, BOMBS[encoding], named)) == 415


FORGED = {
    "none": {},
    "empty": {"X-Twilio-Signature": ""},
    "no base64": {"X-Twilio-Signature": "null"},
    "of another request": {"X-Twilio-Signature": callback("SM-other").headers["X-Twilio-Signature"]},
    "another digest": {"X-Twilio-Webhooks-Signature-Settings": "key=1,algorithm=none"},
    "long": {"X-Twilio-Signature": "A" * 8000},
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_signature_is_refused(gateway: GatewayProcess, forgery: str) -> None:
    kept = {} if "X-Twilio-Signature" in FORGED[forgery] or forgery == "none" else SIGNED.headers
    headers = {"Content-Type": FORM, **kept, **FORGED[forgery]}
    assert post(gateway, SIGNED._replace(headers=headers)) == 403


def test_what_a_signature_covers_can_not_be_changed(gateway: GatewayProcess) -> None:
    changed = [
        SIGNED._replace(body=SIGNED.body.replace(b"undelivered", b"delivered")),
        SIGNED._replace(body=SIGNED.body + b"&To=%2B12025550199"),
        SIGNED._replace(target=SIGNED.target + "?carrier=310-260"),
        SIGNED._replace(target="/v1/events/events", headers=dict(SIGNED.headers)),
        events([])._replace(body=b'[{"id":"x"}]'),
        outcomes(OUTCOME, Authorization="Bearer "),
        outcomes(OUTCOME, Authorization=f"Bearer {BEARER}x"),
        outcomes(OUTCOME, Authorization=f"Basic {BEARER}"),
        Post("/v1/pagerduty/webhook", b"{}", {"X-PagerDuty-Signature": "v1=" + "0" * 64}),
    ]
    assert [post(gateway, one) for one in changed] == [403] * 8 + [404]


RAW: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 + b"\r\n\r\n", (400,)),
    "only NUL": (b"\0" * 5000 + b"\r\n\r\n", (400,)),
    "HTTP/0.9": (b"GET /v1/own/outcomes\r\n\r\n", (400,)),
    "HTTP/9.9": (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", (400, 505)),
    "another method": (b"BREW /v1/own/outcomes HTTP/1.1\r\nHost: a\r\n\r\n", (400, 405)),
    "a method without end": (b"A" * 20_000 + b" / HTTP/1.1\r\n\r\n", (400,)),
    "a target without end": (b"POST /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (400,)),
    "another address": (
        b"POST http://evil.example/v1/own/outcomes HTTP/1.1\r\nHost: a\r\n\r\n",
        (400, 403, 404),
    ),
    "CONNECT": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", (400, 404)),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", (404,)),
    "up the tree": (b"POST /v1/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", (404,)),
    "NUL in the path": (b"POST /v1/own%00/outcomes HTTP/1.1\r\nHost: a\r\n\r\n", (404,)),
    "raw NUL in the path": (b"POST /v1/own\0/outcomes HTTP/1.1\r\nHost: a\r\n\r\n", (400,)),
    "bad UTF-8 in the path": (b"POST /v1/%ff%fe/outcomes HTTP/1.1\r\nHost: a\r\n\r\n", (404,)),
    "raw bytes in the path": (b"POST /v1/\xff\xfe/outcomes HTTP/1.1\r\nHost: a\r\n\r\n", (400, 404)),
    "many headers": (STATUS + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n", (400,)),
    "a long header": (STATUS + b"X: " + b"y" * 100_000 + b"\r\n\r\n", (400,)),
    "a header without a name": (STATUS + b": x\r\n\r\n", (400,)),
    "NUL in a header": (STATUS + b"X-Twilio-Signature: a\0b\r\nContent-Length: 0\r\n\r\n", (400,)),
    "bytes in a header": (STATUS + b"X-Twilio-Signature: \xff\xfe\r\nContent-Length: 0\r\n\r\n", (400, 403)),
    "bytes as a token": (
        TOKEN.replace(BEARER.encode(), b"\xff\xfe") + b"Content-Length: 0\r\n\r\n",
        (400, 403),
    ),
    "a folded header": (STATUS + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", (400,)),
    "two lengths": (TOKEN + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", (400,)),
    "a length and chunks": (
        TOKEN + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        (400,),
    ),
    "a negative length": (TOKEN + b"Content-Length: -1\r\n\r\n", (400,)),
    "a length with a sign": (TOKEN + b"Content-Length: +5\r\n\r\n", (400,)),
    "no chunk": (TOKEN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", (400,)),
    "a chunk of all memory": (
        TOKEN + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
        (400, 413),
    ),
    "another coding": (STATUS + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", (400, 403, 501)),
    "chunks twice": (TOKEN + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", (400,)),
    "no host": (b"POST /v1/own/outcomes HTTP/1.1\r\n\r\n", (400, 403)),
}
"""What is sent, and the answers that are right."""


@pytest.mark.parametrize("attack", RAW)
def test_nonsense_is_answered_as_such_or_hung_up_on(gateway: GatewayProcess, attack: str) -> None:
    sends, right = RAW[attack]
    assert sent(gateway, sends) in (*right, CLOSED)


def test_a_chunk_that_is_smuggled_behind_a_request_is_no_request(gateway: GatewayProcess) -> None:
    hidden = with_body(TOKEN, OUTCOME)
    assert (
        sent(gateway, TOKEN + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden)
        == 400
    )


def test_a_head_that_does_not_end_is_cut_off(gateway: GatewayProcess) -> None:
    """Slowloris: a byte now and then, for ever."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=SLACK_S) as wire:
        wire.sendall(STATUS)
        wire.settimeout(READ_S / 8)
        while time.monotonic() - began < READ_S + SLACK_S:
            try:
                wire.sendall(b"X: y\r\n")
                if wire.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    assert READ_S <= time.monotonic() - began < READ_S + SLACK_S


def test_a_body_that_does_not_end_is_cut_off(gateway: GatewayProcess) -> None:
    began = time.monotonic()
    assert sent(gateway, TOKEN + b"Content-Length: 100\r\n\r\n{") == 408
    assert sent(gateway, TOKEN + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{") == 408
    assert time.monotonic() - began < 2 * READ_S + SLACK_S


def test_a_silent_connection_is_cut_off(gateway: GatewayProcess) -> None:
    began = time.monotonic()
    assert sent(gateway) == CLOSED
    assert READ_S <= time.monotonic() - began < READ_S + SLACK_S


def test_many_slow_clients_keep_nobody_else_out(gateway: GatewayProcess) -> None:
    slow = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(300)]
    for wire in slow:
        wire.sendall(STATUS + b"Content-Length: 100\r\n\r\na")
    assert post(gateway, callback("SM-forged")._replace(headers={})) == 403
    for wire in slow:
        wire.close()


def test_after_all_of_it_the_gateway_works_has_written_nothing_and_not_grown(attacked: Attacked) -> None:
    gateway, servers, prefix = attacked.process, attacked.kafka.bootstrap_servers, attacked.prefix
    assert post(gateway, callback("SM-after")) == 204
    assert {record.key for record in written(servers, f"{prefix}outcomes")} == {b"SM-after"}
    assert written(servers, f"{prefix}dead-letters") == []
    assert (resident_kb(gateway) - attacked.before_kb) / 1000 < 60, "MB"
    log = gateway.log.read_text()
    assert "went wrong" not in log and "Traceback" not in log and BEARER not in log
