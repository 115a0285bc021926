"""The port of a role: metrics, health, readiness, and what is plugged in."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from aiohttp import web

from streams.errors import ConfigError
from streams.http import HttpServer, Readiness
from streams.metrics import OPENMETRICS, TEXT, Metrics, Role


def get(url: str, accept: str = "") -> tuple[int, str, str]:
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.headers["Content-Type"], e.read().decode()


@pytest.fixture
def readiness() -> Readiness:
    return Readiness("kafka", "state")


@pytest.fixture
def server(readiness: Readiness) -> Iterator[HttpServer]:
    with HttpServer(Metrics(Role.INGEST), readiness) as running:
        yield running


def test_it_lives_before_it_is_ready(server: HttpServer) -> None:
    assert get(f"{server.url}/healthz")[0] == 200
    status, _, body = get(f"{server.url}/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "reasons": ["kafka: not yet", "state: not yet"]}


def test_it_is_ready_once_every_condition_holds(server: HttpServer, readiness: Readiness) -> None:
    readiness.set("kafka", True)
    readiness.set("state", False, "reads back from offset 7")
    assert json.loads(get(f"{server.url}/readyz")[2])["reasons"] == ["state: reads back from offset 7"]
    readiness.set("state", True)
    status, _, body = get(f"{server.url}/readyz")
    assert (status, json.loads(body)) == (200, {"ready": True, "reasons": []})


def test_it_can_lose_readiness_again(readiness: Readiness) -> None:
    readiness.set("kafka", True)
    readiness.set("state", True)
    assert readiness.ready
    readiness.set("kafka", False)
    assert readiness.reasons == ["kafka: no"]


def test_metrics_come_in_the_format_asked_for(server: HttpServer) -> None:
    assert get(f"{server.url}/metrics")[1] == TEXT
    status, content_type, body = get(f"{server.url}/metrics", "application/openmetrics-text")
    assert (status, content_type) == (200, OPENMETRICS)
    assert "carrier_health_build_info" in body


def test_a_busy_main_thread_does_not_keep_it_from_answering(server: HttpServer) -> None:
    """The main thread holds no loop here at all; the server answers from its own."""
    assert threading.current_thread() is threading.main_thread()
    assert get(f"{server.url}/healthz")[2] == "the process lives\n"


def test_what_must_be_renewed_holds_for_its_time_and_no_longer() -> None:
    now_s = [100.0]
    readiness = Readiness(clock_s=lambda: now_s[0])
    for _ in range(3):
        readiness.renew("progress", 5.0)
        now_s[0] += 5.0
        assert readiness.ready
    now_s[0] += 2.0
    assert readiness.reasons == ["progress: none for 7 s"]
    readiness.renew("progress", 5.0)
    assert readiness.ready


def test_a_role_plugs_its_own_routes_in(readiness: Readiness) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    def plug(app: web.Application) -> None:
        app.router.add_get("/hello", hello)

    with HttpServer(Metrics(Role.ALERTS), readiness, plugs=[plug]) as server:
        assert get(f"{server.url}/hello")[2] == "hello"


def test_a_taken_port_is_refused_in_words(readiness: Readiness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"can not listen on 127.0.0.1:{port}.*choose another"):
            HttpServer(Metrics(Role.INGEST), readiness, port=port).start()


def test_it_frees_its_port_when_it_stops(readiness: Readiness) -> None:
    server = HttpServer(Metrics(Role.INGEST), readiness)
    server.start()
    port = server.port
    server.stop()
    server.stop()
    socket.create_server(("127.0.0.1", port)).close()


def test_a_metric_that_can_not_be_read_fails_the_scrape_not_the_server(readiness: Readiness) -> None:
    metrics = Metrics(Role.WINDOWS)
    metrics.outcomes_total.add(("one label of three",))
    with HttpServer(metrics, readiness) as server:
        assert get(f"{server.url}/metrics")[0] == 500
        assert get(f"{server.url}/healthz")[0] == 200


@pytest.mark.parametrize(
    "line",
    [b"GET /metrics?token=s3cret\0 HTTP/1.1", b"\x16\x03\x01 s3cret", b"GET /\xff HTTP/1.1", b"A" * 20_000],
    ids=["a token", "TLS", "bytes", "no end"],
)
def test_nonsense_is_refused_and_not_quoted_in_the_log(line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with (
        HttpServer(Metrics(Role.WINDOWS), Readiness()) as server,
        caplog.at_level("DEBUG"),
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire,
    ):
        wire.sendall(line + b"\r\nHost: a\r\n\r\n")
        assert wire.recv(100).startswith(b"HTTP/1.0 400 ")
    assert [r.getMessage() for r in caplog.records if r.name != "asyncio"] == []
