"""docs/metrics.md, made from the one list: `python -m streams.metrics_doc > docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Iterator

from streams.exposition import PREFIX
from streams.metrics import EVERY_ROLE, METRICS

HEAD = """\
# Metrics

Every role serves these at `/metrics`, as OpenMetrics where the scraper asks for it, else as text.
A counter is read with `rate` or `increase`; a gauge as it is. Series whose labels are all known at
start exist at 0. No label holds a phone number, a message id or free text.

This page is made by `python -m streams.metrics_doc > docs/metrics.md`; a test keeps it equal.

| metric | type | labels | roles | meaning |
|---|---|---|---|---|"""


def page() -> str:
    """The whole page, with a newline at its end."""
    return "\n".join([HEAD, *_rows()]) + "\n"


def _rows() -> Iterator[str]:
    for m in METRICS:
        labels = ", ".join(f"`{label}`" for label in m.labels) or "–"
        roles = "all" if set(m.roles) == set(EVERY_ROLE) else ", ".join(m.roles)
        yield f"| `{PREFIX}{m.name}` | {m.kind} | {labels} | {roles} | {m.text} |"


if __name__ == "__main__":
    print(page(), end="")
