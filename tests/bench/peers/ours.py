"""Our pipeline in the race: `ingest` and `windows` as shipped, and the rows made of the closed buckets."""

from __future__ import annotations

import sys
from typing import NamedTuple

from alerts.settings import load
from streams.topic_admin import TopicAdmin
from streams.topics import OUTCOMES, WINDOWS
from tests.bench.peers import tools
from tests.bench.peers.entrants import Command, Course
from tests.bench.peers.outcomes import DISORDER_MS, PARTITIONS

_CONFIG = """
kafka = {{ bootstrap_servers = "{servers}", topic_prefix = "{prefix}", replication_factor = 1 }}
http = {{ ingest_port = 0, windows_port = 0 }}
ingest = {{ group = "{run}-ingest" }}
windows = {{ group = "{run}-windows", allowed_lateness_s = {lateness_s} }}
alerting = {{ mode = "observe", canary_s = 0 }}
privacy = {{ recipient_key = "of the race, not a secret" }}
sources = [{{ name = "peers", format = "canonical" }}]
"""


class Ours(NamedTuple):
    """Our pipeline, with its memory of messages or without."""

    name: str
    dedupe: bool


WITH_DEDUPE = Ours("Carrier Health", True)
WITHOUT_DEDUPE = Ours("Carrier Health, dedupe off", False)


def topic_of(job: str) -> str:
    """Everybody's topic of outcomes, under the name that ours has."""
    return f"{job}.{OUTCOMES}"


def commands(ours: Ours, course: Course) -> list[Command]:
    """Makes the topics; the processes in the order of the flow."""
    config = course.folder / "race.toml"
    lateness_s = DISORDER_MS / 1000
    config.write_text(
        _CONFIG.format(
            servers=course.servers,
            prefix=course.outcomes.removesuffix(OUTCOMES),
            run=course.counts,
            lateness_s=lateness_s,
        )
    )
    settings = load(config, {})
    with TopicAdmin(settings) as admin:
        admin.apply({OUTCOMES: PARTITIONS})
    python = [sys.executable, "-m", "alerts.cli"]
    ingest = python if ours.dedupe else [sys.executable, tools.program("without_dedupe.py")]
    options = ["--config", str(config), "--log-level", "warning"]
    slide = [course.servers, settings.topic(WINDOWS), course.counts]
    return [
        Command("ingest", ingest, ["ingest", *options]),
        Command("windows", python, ["windows", *options]),
        Command("slide", [sys.executable, tools.program("slide.py")], slide),
    ]
