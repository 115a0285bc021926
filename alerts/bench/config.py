"""The configuration of the roles under measurement: as shipped, but nobody is paged and no canary joins the
records that are counted."""

from __future__ import annotations

import json
from pathlib import Path

from alerts.settings import Settings, load
from streams import settings


def write(
    path: Path, bootstrap_servers: str, redis_url: str, prefix: str, source: settings.Source
) -> Settings:
    """Writes the TOML file that the roles read, and returns what it says."""
    sections: dict[str, dict[str, object]] = {
        "kafka": {"bootstrap_servers": bootstrap_servers, "topic_prefix": prefix, "replication_factor": 1},
        "redis": {"url": redis_url},
        "http": {"ingest_port": 0, "windows_port": 0, "alerts_port": 0},
        "ingest": {"group": f"{prefix}ingest"},
        "windows": {"group": f"{prefix}windows"},
        "alerts": {"group": f"{prefix}alerts"},
        "alerting": {"mode": "observe", "canary_s": 0},
        "privacy": {"recipient_key": "of the benchmark, not a secret"},
    }
    lines = [line for name, values in sections.items() for line in _section(f"[{name}]", values)]
    of_source = {f: getattr(source, f) for f in ("name", "format", "codes", "carrier", "region")}
    path.write_text("\n".join([*lines, *_section("[[sources]]", of_source)]), encoding="utf-8")
    return load(path, {})


def _section(head: str, values: dict[str, object]) -> list[str]:
    return [head, *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
