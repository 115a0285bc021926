"""The configuration that the demonstration writes for its roles, and the clock that they share."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from streams.clock import WallClock
from streams.settings import ENV_PREFIX, Clock, Source

KEY_CHARACTERS = 32


class Addresses(NamedTuple):
    """Where everything listens, on this machine only."""

    kafka: str
    redis: str
    pager: str
    ingest_port: int
    windows_port: int
    alerts_port: int

    def role(self, name: str) -> str:
        return f"http://127.0.0.1:{getattr(self, f'{name}_port')}"


class DemoClock(WallClock):
    """The clock of the roles, which also says what it showed at a wall time."""

    def __init__(self, config: Clock) -> None:
        super().__init__(config)
        self.config = config

    def at_ms(self, wall_ms: float) -> int:
        """What this clock showed at `wall_ms`."""
        c = self.config
        return int(c.anchor_ms + (wall_ms - c.anchor_wall_ms) * c.speed)


def clock_of(speed: float, span_s: float, wall_ms: int) -> DemoClock:
    """A clock that begins in the past, so that it reaches now after `span_s` seconds of its own.

    At speed 1 it is the wall clock; a slow one begins now and falls behind.
    """
    if speed == 1:
        return DemoClock(Clock())
    past_ms = max(0, round(span_s * 1000 * (1 - 1 / speed)))
    return DemoClock(Clock(speed=speed, anchor_wall_ms=wall_ms, anchor_ms=wall_ms - past_ms))


def configuration(sources: tuple[Source, ...], at: Addresses, clock: Clock) -> str:
    """The text of `carrier-health.toml`; its keys are drawn anew each time."""
    tables: list[tuple[str, Mapping[str, Any]]] = [
        ("[kafka]", {"bootstrap_servers": at.kafka, "replication_factor": 1}),
        ("[redis]", {"url": at.redis}),
        ("[clock]", {name: getattr(clock, name) for name in clock.__struct_fields__}),
        ("[http]", {name: value for name, value in at._asdict().items() if name.endswith("_port")}),
        ("[privacy]", {"recipient_key": _random_key()}),
        ("[alerting]", {"public_url": at.role("alerts")}),
        ("[pagerduty]", {"base_url": at.pager, "routing_key": _random_key()}),
        ("[pages]", {"token": _random_key()}),
    ]
    return "\n".join(_table(heading, values) for heading, values in tables) + "\n" + sources_text(sources)


def sources_text(sources: Iterable[Source]) -> str:
    """The part of it that says how records are read."""
    return "\n".join(
        _table("[[sources]]", {"name": s.name, "format": s.format, "codes": s.codes}) for s in sources
    )


def without_ours(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of ours: the demonstration must never reach a real Kafka."""
    return {k: v for k, v in env.items() if not (k.startswith(ENV_PREFIX) and "__" in k) and k != _CONFIG}


_CONFIG = f"{ENV_PREFIX}CONFIG"


def _random_key() -> str:
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(KEY_CHARACTERS))


def _table(heading: str, values: Mapping[str, Any]) -> str:
    # JSON's strings and numbers are TOML's too, as long as nothing is escaped in pairs.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([heading, *lines, ""])
