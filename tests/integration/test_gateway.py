"""The gateway on a real Kafka: what it writes, what it refuses, and what it does while Kafka is away."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from kafka.partitioner.default import murmur2
from yarl import URL

from streams.embedded import EmbeddedKafka
from streams.embedded.ports import free_port
from streams.guard import Guard
from tests.integration.gateway import (
    BEARER,
    PUBLIC_URL,
    GatewayProcess,
    Post,
    callback,
    events,
    make_topics,
    outcomes,
    written,
)

DELIVERED = b'{"message_id":"%s","status":"delivered","received_ms":1}'
DOCS = Path(__file__).parents[2] / "docs"
PATIENCE = ClientTimeout(total=30)


@pytest.fixture(scope="module")
def prefix(kafka: EmbeddedKafka) -> str:
    """The topics of this file: each test has message ids of its own."""
    made = f"test-{uuid.uuid4().hex[:12]}-"
    make_topics(kafka.bootstrap_servers, made)
    return made


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, kafka: EmbeddedKafka, prefix: str
) -> Iterator[GatewayProcess]:
    """Shared: do not stop it."""
    folder = tmp_path_factory.mktemp("gateway")
    more = ("max_body_bytes = 2000", "read_timeout_s = 0.3")
    with GatewayProcess(folder, kafka.bootstrap_servers, prefix, *more) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[ClientSession]:
    async with ClientSession(timeout=PATIENCE) as session:
        yield session


async def send(client: ClientSession, gateway: GatewayProcess, post: Post) -> ClientResponse:
    url = URL(gateway.url + post.target, encoded=True)
    answer = await client.post(url, data=post.body, headers=post.headers)
    await answer.read()
    return answer


async def status(client: ClientSession, gateway: GatewayProcess, post: Post) -> int:
    return (await send(client, gateway, post)).status


# -- what it writes --------------------------------------------------------------------------------


async def test_a_callback_is_in_kafka_once_it_is_answered(
    gateway: GatewayProcess, client: ClientSession, kafka: EmbeddedKafka, prefix: str
) -> None:
    before_ms = int(time.time() * 1000)
    post = callback("SM1", "?carrier=310-260&region=US", Body="see you at nine")
    answer = await send(client, gateway, post)
    assert (answer.status, await answer.read()) == (204, b"")
    (record,) = written(kafka.bootstrap_servers, f"{prefix}outcomes", b"SM1")
    expected = b"MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003&To=%2B12025550123"
    assert record.value == expected + b"&Body=-&carrier=310-260&region=US"
    (source, received) = record.headers
    assert source == ("source", b"twilio")
    assert received[0] == "received_ms" and before_ms <= int(received[1]) <= time.time() * 1000
    # Where a Java client's partitioner would put it, so that both meet in one partition.
    assert record.partition == (murmur2(b"SM1") & 0x7FFFFFFF) % 12


async def test_requests_are_counted(gateway: GatewayProcess, client: ClientSession) -> None:
    labels = {"source": "twilio", "endpoint": "status"}
    before = [gateway.metric("gateway_requests_total", **labels, result=r) for r in ("accepted", "forbidden")]
    assert await status(client, gateway, callback("SM-counted")) == 204
    assert await status(client, gateway, callback("SM-counted", base="https://other.example")) == 403
    after = [gateway.metric("gateway_requests_total", **labels, result=r) for r in ("accepted", "forbidden")]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1]
    assert gateway.metric("gateway_in_flight_records") == 0
    counted = gateway.metric("gateway_request_duration_seconds_count", endpoint="status")
    assert counted == gateway.metric("gateway_requests_total", endpoint="status")


async def test_each_event_of_a_batch_is_a_record(
    gateway: GatewayProcess, client: ClientSession, kafka: EmbeddedKafka, prefix: str
) -> None:
    batch = [
        {
            "id": f"EZ{i}",
            "data": {"messageSid": f"SM-e{i}", "messageStatus": "SENT", "timestamp": "2026-07-17T12:06:00Z"},
        }
        for i in range(3)
    ]
    assert await status(client, gateway, events(batch)) == 204
    keys = [f"SM-e{i}".encode() for i in range(3)]
    found = written(kafka.bootstrap_servers, f"{prefix}outcomes", *keys)
    assert sorted((r.key, json.loads(r.value)) for r in found) == [*zip(keys, batch, strict=True)]


async def test_lines_of_outcomes_are_records_under_one_receipt_time(
    gateway: GatewayProcess, client: ClientSession, kafka: EmbeddedKafka, prefix: str
) -> None:
    lines = [DELIVERED % name for name in (b"l1", b"l2", b"l3")]
    assert await status(client, gateway, outcomes(b"\n".join(lines))) == 204
    found = written(kafka.bootstrap_servers, f"{prefix}outcomes", b"l1", b"l2", b"l3")
    assert sorted(r.value for r in found) == lines
    assert len({r.headers[1] for r in found}) == 1


async def test_a_repeated_callback_is_answered_and_not_written_again(
    gateway: GatewayProcess, client: ClientSession, kafka: EmbeddedKafka, prefix: str
) -> None:
    before = gateway.metric("gateway_requests_total", result="repeated")
    posts = [callback("SM-r1"), callback("SM-r1"), callback("SM-r2")]
    assert await asyncio.gather(*(status(client, gateway, p) for p in posts)) == [204, 204, 204]
    assert await status(client, gateway, posts[0]) == 204
    found = written(kafka.bootstrap_servers, f"{prefix}outcomes", b"SM-r1", b"SM-r2")
    assert sorted(r.key for r in found) == [b"SM-r1", b"SM-r2"]  # type: ignore[type-var]
    assert gateway.metric("gateway_requests_total", result="repeated") == before + 2


async def test_a_record_may_come_in_a_query_and_jasmin_reads_its_word(
    gateway: GatewayProcess, client: ClientSession, kafka: EmbeddedKafka, prefix: str
) -> None:
    query = "id=j-1&level=2&message_status=UNDELIV&err=001&text=Hello"
    async with client.get(f"{gateway.url}/v1/jasmin/status?token={BEARER}&{query}") as answer:
        assert (answer.status, await answer.text()) == (200, "ACK/Jasmin")
    post = Post(
        "/v1/jasmin/status", query.replace("j-1", "j-2").encode(), {"Authorization": f"Bearer {BEARER}"}
    )
    assert await (await send(client, gateway, post)).text() == "ACK/Jasmin"
    found = written(kafka.bootstrap_servers, f"{prefix}outcomes", b"j-1", b"j-2")
    cut = query.replace("Hello", "-")
    assert sorted(r.value.decode() for r in found) == [cut, cut.replace("j-1", "j-2")]


# -- what it refuses -------------------------------------------------------------------------------


async def test_what_can_not_be_read_is_a_dead_letter_before_it_is_refused(
    gateway: GatewayProcess, client: ClientSession, kafka: EmbeddedKafka, prefix: str
) -> None:
    bad = b'{"message_id":"+12025550123","body":"x"}'
    answer = await send(client, gateway, outcomes(DELIVERED % b"good" + b"\n" + bad))
    assert answer.status == 400
    words = await answer.json()
    assert words["reason"] == "missing_field" and (words["accepted"], words["malformed"]) == (1, 1)
    assert "12025550123" not in await answer.text()
    assert len(written(kafka.bootstrap_servers, f"{prefix}outcomes", b"good")) == 1
    letters = written(kafka.bootstrap_servers, f"{prefix}dead-letters")
    (letter,) = [one for one in letters if one.value == bad]
    assert letter.key is None
    headers = dict(letter.headers)
    assert [name for name, _ in letter.headers][:2] == ["source", "received_ms"]
    assert (headers["reason"], headers["source"]) == (b"missing_field", b"own")
    assert headers["source_topic"] == f"{prefix}outcomes".encode()
    assert (headers["source_partition"], headers["source_offset"]) == (b"-1", b"-1")


def changed(post: Post, **headers: str) -> Post:
    return post._replace(headers={**post.headers, **headers})


REFUSED = {
    "another body": (callback("SM-x")._replace(body=callback("SM-y").body), 403),
    "another signature": (changed(callback("SM-x"), **{"X-Twilio-Signature": "x"}), 403),
    "signed for another URL": (callback("SM-x", base="https://evil.example"), 403),
    "no token": (Post("/v1/own/outcomes", b"x", {}), 403),
    "an unknown source": (outcomes(b"x")._replace(target="/v1/nobody/outcomes"), 404),
    "an endpoint of another format": (callback("SM-x")._replace(target="/v1/twilio/outcomes"), 404),
    "too large": (outcomes(b"x" * 2001), 413),
    "compressed": (outcomes(b"x", **{"Content-Encoding": "gzip"}), 415),
}


async def test_what_is_refused_is_written_nowhere(
    gateway: GatewayProcess, client: ClientSession, kafka: EmbeddedKafka, prefix: str
) -> None:
    got = {name: await status(client, gateway, post) for name, (post, _) in REFUSED.items()}
    assert got == {name: expected for name, (_, expected) in REFUSED.items()}
    for topic in ("outcomes", "dead-letters"):
        values = {r.value for r in written(kafka.bootstrap_servers, f"{prefix}{topic}")}
        assert not values & {post.body for post, _ in REFUSED.values()}


async def test_another_method_is_refused_with_the_right_ones(
    gateway: GatewayProcess, client: ClientSession
) -> None:
    async with client.get(f"{gateway.url}/v1/twilio/status") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_a_body_of_no_stated_length_is_limited_too(
    gateway: GatewayProcess, client: ClientSession
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    answer = await client.post(
        f"{gateway.url}/v1/own/outcomes", data=endless(), headers={"Authorization": f"Bearer {BEARER}"}
    )
    assert answer.status == 413


async def test_whoever_is_slow_is_not_waited_for(gateway: GatewayProcess) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    head = f"POST /v1/own/outcomes?token={BEARER} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_nothing_of_a_request_is_in_the_log(gateway: GatewayProcess, client: ClientSession) -> None:
    for head in (
        f"G\x01T /?token={BEARER}",
        f"POST /v1/own/outcomes?token={BEARER}&to=+12025550123\xff HTTP/1.1",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(head.encode("latin-1") + b"\r\nHost: x\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).split()[1] == b"400"
        writer.close()
    await status(client, gateway, outcomes(b'{"to":"+12025550123"}'))
    await status(client, gateway, callback("SM1", To="+12025550123"))
    log = gateway.log.read_text()
    assert log and BEARER not in log and "2025550123" not in log


# -- while Kafka is away ---------------------------------------------------------------------------


@pytest.fixture
def own_kafka() -> Iterator[EmbeddedKafka]:
    """One that may be killed."""
    with EmbeddedKafka() as server:
        make_topics(server.bootstrap_servers, "t-")
        yield server


async def test_while_kafka_is_away_requests_are_told_to_come_again(
    own_kafka: EmbeddedKafka, tmp_path: Path, client: ClientSession
) -> None:
    with GatewayProcess(tmp_path, own_kafka.bootstrap_servers, "t-", "delivery_timeout_s = 1.0") as gateway:
        assert await status(client, gateway, callback("SM1")) == 204
        own_kafka.kill()
        gateway.wait_ready(False)
        started_s = time.monotonic()
        answer = await send(client, gateway, callback("SM2"))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert time.monotonic() - started_s < 1.0, "it is told at once"
        own_kafka.start()
        gateway.wait_ready()
        assert await status(client, gateway, callback("SM2")) == 204
        assert gateway.metric("gateway_in_flight_records") == 0
    found = written(own_kafka.bootstrap_servers, "t-outcomes")
    assert sorted(r.key for r in found) == [b"SM1", b"SM2"]  # type: ignore[type-var]


async def test_a_kafka_that_hangs_is_given_up_in_time_and_fills_no_memory(
    own_kafka: EmbeddedKafka, tmp_path: Path, client: ClientSession
) -> None:
    more = ("delivery_timeout_s = 1.0", "max_in_flight = 3")
    with GatewayProcess(tmp_path, own_kafka.bootstrap_servers, "t-", *more) as gateway:
        assert await status(client, gateway, callback("SM0")) == 204
        pid = own_kafka.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            started_s = time.monotonic()
            answers = await asyncio.gather(
                *(status(client, gateway, callback(f"SM{i}")) for i in range(1, 10))
            )
            assert answers == [503] * 9
            assert time.monotonic() - started_s < 4.0
            assert gateway.metric("gateway_in_flight_records") == 0
        finally:
            os.kill(pid, signal.SIGCONT)
        gateway.wait_ready()
        assert await status(client, gateway, callback("SM1")) == 204


async def test_a_missing_topic_is_named_and_nothing_is_taken(
    kafka: EmbeddedKafka, topic_prefix: str, tmp_path: Path, client: ClientSession
) -> None:
    gateway = GatewayProcess(tmp_path, kafka.bootstrap_servers, topic_prefix)
    gateway.wait_ready = lambda ready=True: None  # type: ignore[method-assign]
    with gateway:
        reasons = await _reasons(client, gateway)
        assert f"no topic {topic_prefix}dead-letters, {topic_prefix}outcomes" in reasons
        assert "carrier-health topics --apply" in reasons
        assert await status(client, gateway, callback("SM1")) == 503
        make_topics(kafka.bootstrap_servers, topic_prefix)
        del gateway.wait_ready
        gateway.wait_ready()
        assert await status(client, gateway, callback("SM1")) == 204


async def _reasons(client: ClientSession, gateway: GatewayProcess) -> str:
    for _ in range(200):
        try:
            async with client.get(f"http://127.0.0.1:{gateway.pages_port}/readyz") as answer:
                text = " ".join((await answer.json())["reasons"])
                if "not yet" not in text:
                    return text
        except OSError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError(gateway.log.read_text())


# -- ends, restarts, several of it -----------------------------------------------------------------


async def test_sigterm_answers_what_was_taken_and_what_was_answered_is_in_kafka(
    client: ClientSession, kafka: EmbeddedKafka, prefix: str, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path, kafka.bootstrap_servers, prefix)

    async def until_it_is_gone(worker: int) -> list[bytes]:
        good: list[bytes] = []
        while True:
            sid = f"SM-t{worker}-{len(good)}"
            try:
                assert await status(client, gateway, callback(sid)) == 204
            except (OSError, ClientError):
                return good  # the connection was refused, or closed before the request was read
            good.append(sid.encode())

    with gateway:
        workers = [asyncio.create_task(until_it_is_gone(n)) for n in range(8)]
        while await asyncio.to_thread(gateway.metric, "gateway_requests_total", result="accepted") < 50:
            await asyncio.sleep(0.05)
        assert await asyncio.to_thread(gateway.stop) == 0
        good = {sid for found in await asyncio.gather(*workers) for sid in found}
    assert len(good) >= 50
    assert good <= {r.key for r in written(kafka.bootstrap_servers, f"{prefix}outcomes")}
    with gateway:
        assert await status(client, gateway, callback("SM-again")) == 204


async def test_two_processes_share_the_port(kafka: EmbeddedKafka, prefix: str, tmp_path: Path) -> None:
    bootstrap = kafka.bootstrap_servers
    connector = TCPConnector(force_close=True)  # the kernel deals connections out, not requests
    async with ClientSession(connector=connector, timeout=PATIENCE) as client:
        with (
            GatewayProcess(tmp_path, bootstrap, prefix) as first,
            GatewayProcess(tmp_path, bootstrap, prefix, port=first.port) as second,
        ):
            for i in range(60):
                assert await status(client, first, callback(f"SM-p{i}")) == 204
            counts = [g.metric("gateway_requests_total", result="accepted") for g in (first, second)]
            assert sum(counts) == 60 and min(counts) > 0
            assert await asyncio.to_thread(second.stop) == 0
            for i in range(20):
                assert await status(client, first, callback(f"SM-q{i}")) == 204


def test_a_port_that_is_taken_is_refused_in_words(
    gateway: GatewayProcess, kafka: EmbeddedKafka, prefix: str, tmp_path: Path
) -> None:
    other = GatewayProcess(tmp_path, kafka.bootstrap_servers, prefix)
    other.config.write_text(other.config.read_text().replace(str(other.pages_port), str(gateway.pages_port)))
    with pytest.raises(AssertionError, match=f"can not listen on 127.0.0.1:{gateway.pages_port}"):
        other.__enter__()
    assert other.process.wait(10) == 2


async def test_proxy_headers_are_believed_from_trusted_proxies_alone(
    kafka: EmbeddedKafka, prefix: str, tmp_path: Path, client: ClientSession
) -> None:
    host = PUBLIC_URL.removeprefix("https://")
    forwarded = changed(callback("SM1"), **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": host})
    for trusted, expected in (("127.0.0.0/8", 204), ("10.0.0.0/8", 403)):
        with GatewayProcess(
            tmp_path, kafka.bootstrap_servers, prefix, f'trusted_proxies = "{trusted}"', public=""
        ) as gateway:
            assert await status(client, gateway, forwarded) == expected
            assert await status(client, gateway, callback("SM2")) == 403


@pytest.mark.needs_nginx
async def test_it_works_behind_nginx_as_documented(
    kafka: EmbeddedKafka, prefix: str, tmp_path: Path, client: ClientSession
) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    query = "?region=US%20west&carrier=310-260&x=%2F%2f//a"
    trusted = 'trusted_proxies = "127.0.0.1"'
    with (
        GatewayProcess(tmp_path, kafka.bootstrap_servers, prefix, trusted, public="") as gateway,
        nginx(tmp_path, port, gateway.port),
    ):
        for sid, signed_for, expected in (("SM-n1", base, 204), ("SM-n2", PUBLIC_URL, 403)):
            post = callback(sid, query, signed_for)
            url = URL(base + post.target, encoded=True)
            answer = await client.post(url, data=post.body, headers=post.headers)
            assert answer.status == expected
    (record,) = written(kafka.bootstrap_servers, f"{prefix}outcomes", b"SM-n1", b"SM-n2")
    assert record.value.endswith(b"&carrier=310-260&region=US+west")


@contextmanager
def nginx(folder: Path, port: int, gateway_port: int) -> Iterator[None]:
    """nginx with the location of docs/gateway.md, in the foreground, as it is killed with its guard."""
    (location,) = re.findall(r"```nginx\n(.*?)```", (DOCS / "gateway.md").read_text(), re.S)
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;\n"
        "events {}\n"
        f"http {{ client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; access_log off;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"server {{ listen 127.0.0.1:{port};\n{location.replace('8480', str(gateway_port))} }} }}\n"
    )
    process = subprocess.Popen(["nginx", "-c", str(conf), "-p", str(folder)], start_new_session=True)
    guard = Guard(process.pid)
    try:
        wait_until_it_listens(port)
        yield
    finally:
        process.kill()
        process.wait()
        guard.release()


def wait_until_it_listens(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")
