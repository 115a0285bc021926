"""The gateway process: its two ports, its signals, its producer."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal

from aiohttp import web

from streams.errors import ConfigError
from streams.gateway.doors import Endpoint, check, every_door, rights
from streams.gateway.produce import Writer
from streams.gateway.server import NOBODY, Gateway
from streams.http import HttpServer, Readiness
from streams.metrics import Metrics, Role
from streams.records import UNKNOWN
from streams.settings import Settings

log = logging.getLogger("streams.gateway")

BACKLOG = 1024
GC_THRESHOLDS = (50_000, 20, 20)
"""Requests leave no cycles: looking for them as often as Python does by itself costs a tenth."""


def run_gateway(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT: then it takes no more, and ends when what it took is answered.

    Raises ConfigError; returns the exit code.
    """
    check(settings)
    found = every_door(settings)
    if not found:
        raise ConfigError(
            "gateway: no source has auth_token or bearer_token, and pagerduty.webhook_secret is empty, "
            "so nothing could be accepted; set one"
        )
    endpoints = [*(e.value for e in Endpoint), NOBODY]
    metrics = Metrics(Role.GATEWAY, source=[*(d.source for d in found), UNKNOWN], endpoint=endpoints)
    readiness = Readiness("kafka")
    with HttpServer(metrics, readiness, settings.http.host, settings.http.gateway_port):
        asyncio.run(_serve(settings, metrics, Writer(settings, readiness, rights(settings))))
    return 0


async def _serve(settings: Settings, metrics: Metrics, writer: Writer) -> None:
    config = settings.gateway
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    runner = web.ServerRunner(
        Gateway(settings, metrics, writer).server(settings), shutdown_timeout=config.delivery_timeout_s + 2.0
    )
    await runner.setup()
    writer.start()
    try:
        await _listen(runner, config.host, config.port)
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        await ended.wait()
    finally:
        await runner.cleanup()
        await writer.stop()


async def _listen(runner: web.ServerRunner, host: str, port: int) -> None:
    """Several processes may listen on the port: the kernel deals connections out among them."""
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG, reuse_port=True).start()
    except OSError as e:
        raise ConfigError(
            f"gateway: can not listen on {host}:{port}: {e.strerror}; choose another gateway.host or port"
        ) from e
    log.info("takes requests on port %d", runner.addresses[0][1])
