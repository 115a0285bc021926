"""The ingest process: its HTTP server, its signals, and the loop in between."""

from __future__ import annotations

import logging
import signal

from confluent_kafka import KafkaException

from streams.errors import STARTS_ANEW, MonitorError
from streams.http import HttpServer, Readiness
from streams.ingest import Ingest
from streams.metrics import Metrics, Role
from streams.settings import Settings

log = logging.getLogger("streams.ingest")


def run_ingest(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT, which finish the transaction; returns the exit code."""
    names = [*(s.name for s in settings.sources), "unknown"]
    metrics = Metrics(Role.INGEST, source=names)
    readiness = Readiness("kafka", "partitions")
    ingest = Ingest(settings, metrics, readiness)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ingest.stop())
    with HttpServer(metrics, readiness, settings.http.host, settings.http.ingest_port):
        try:
            ingest.run()
        except (MonitorError, KafkaException) as e:
            log.error("%s; starting anew", e)
            return STARTS_ANEW
    return 0
