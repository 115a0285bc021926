"""docs/metrics.md, made from the one list: `python -m streams.metrics_doc > docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Iterator

from streams.exposition import PREFIX
from streams.metric_set import EVERY_ROLE
from streams.metrics import METRICS

HEAD = """\
# Metrics

Every role serves these at `/metrics`, as OpenMetrics where the scraper asks for it, else as text.
A counter is read with `rate` or `increase`; a gauge as it is. Series whose labels are all known at
start exist at 0, counters of outcomes from the moment their series is seen, some seconds before it
counts. No label holds a phone number, a message id or free text.

**Counters** begin at 0 with the process and count what is committed: windows what its journal covers,
ingest what its transaction holds. A replay after a crash counts nothing twice.

**The cap**, `metrics.max_series` (20,000 of one metric): beyond it, series are summed in `other`, so that
sums stay exact (carrier and region are both `other`; of codes the source stays). Flagged series are named
at once, then the largest; who is named stays so for a day. `series_limited_total` says how much was folded.

**What has ended** is shown as 0 for 10 minutes (flags, incidents), then no more. A standby shows no gauges
of the log that another owns.

**Exemplars**: `pager_attempts_total` names the incident (`incident_id`) in OpenMetrics; Prometheus keeps
them with `--enable-feature=exemplar-storage`.

**A scrape** of 20,000 series takes some 30 ms of CPU, rendered beside the loop in which the role works:
figures in [benchmark.md](benchmark.md#a-scrape).

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
