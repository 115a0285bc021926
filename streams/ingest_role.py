"""The ingest process: its HTTP server, its signals, and the loop in between."""

from __future__ import annotations

import logging
import signal
import threading

from confluent_kafka import KafkaException

from streams.errors import STARTS_ANEW, MonitorError, Poisoned
from streams.http import HttpServer, Readiness
from streams.ingest import Ingest
from streams.metrics import Metrics, Role
from streams.records import CANARY, UNKNOWN
from streams.settings import Settings

log = logging.getLogger("streams.ingest")

POISON_HOLD_S = 20.0
"""So long a poisoned ingest stays to say so on `/readyz` before it ends to try again."""


def run_ingest(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT, which finish the transaction; returns the exit code."""
    names = [*(s.name for s in settings.sources), UNKNOWN, CANARY]
    metrics = Metrics(Role.INGEST, source=names)
    readiness = Readiness("kafka", "partitions")
    ingest = Ingest(settings, metrics, readiness)
    asked = threading.Event()

    def stop(*_: object) -> None:
        asked.set()
        ingest.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with HttpServer(metrics, readiness, settings.http.host, settings.http.ingest_port):
        try:
            ingest.run()
        except Poisoned as e:
            readiness.set("poison", False, str(e))
            log.error("%s; trying again in %g s", e, POISON_HOLD_S)
            asked.wait(POISON_HOLD_S)
            return STARTS_ANEW
        except (MonitorError, KafkaException) as e:
            log.error("%s; starting anew", e)
            return STARTS_ANEW
    return 0
