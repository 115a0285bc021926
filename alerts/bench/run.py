"""The whole benchmark in one run: which stages, over which traffic, in which order."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from alerts.bench.formats import (
    CANONICAL,
    SMPP_ENVELOPE,
    SMPP_TEXT,
    TWILIO_EVENT,
    TWILIO_FORM,
    TWILIO_JSON,
    Form,
)
from alerts.bench.rows import Row, beside_raw
from alerts.bench.stages import Bench
from alerts.bench.traffic import Workload, source_of

DEFAULT_RECORDS = 2_000_000
LEAST_RECORDS = 1_000
SPARSE_SHARE, FORMAT_SHARE = 0.6, 0.4
SPARSE_PER_S = 1_200
"""Records a second of receipt time: 4 for each of 3,000 series in a bucket of 10 s."""


DENSE, FORMATS, SPARSE, END_TO_END = PARTS = ("dense", "formats", "sparse", "end-to-end")
"""What can be run alone. `dense` has the raw consumer, beside which the rows of ingest are held."""


class Variant(NamedTuple):
    """A further row of dense ingest in another format."""

    row: str
    form: Form
    labelled: bool = True


VARIANTS = (
    Variant("ingest_dense_twilio_json", TWILIO_JSON),
    Variant("ingest_dense_twilio_form", TWILIO_FORM),
    Variant("ingest_dense_twilio_event", TWILIO_EVENT),
    Variant("ingest_dense_smpp", SMPP_ENVELOPE),
    Variant("ingest_dense_smpp_text", SMPP_TEXT, labelled=False),
)


def run(bench: Bench, records: int, only: Collection[str] = PARTS) -> dict[str, Row]:
    """Rows by name, in the order of the report. `records` is the size of the dense canonical ones, `only`
    names parts."""
    idle = bench.site("idle", _dense(CANONICAL, 0))
    bench.idle(idle)
    bench.clear(idle)
    rows: dict[str, Row] = {}
    if DENSE in only:
        rows |= _dense_canonical(bench, records)
    for variant in VARIANTS if FORMATS in only else ():
        work = _dense(variant.form, round(records * FORMAT_SHARE), labelled=variant.labelled)
        rows[variant.row] = _ingest_alone(bench, variant.row, work)
    if SPARSE in only:
        rows |= _sparse(bench, round(records * SPARSE_SHARE))
    if END_TO_END in only:
        rows["end_to_end"] = _end_to_end(bench, records)
    raw = rows.get("raw_consumer")
    return {n: beside_raw(r, raw) if raw and n.startswith("ingest") else r for n, r in rows.items()}


def _dense(form: Form, records: int, *, labelled: bool = True) -> Workload:
    return Workload(source_of(form, labelled=labelled), form, records, labelled=labelled)


def _dense_canonical(bench: Bench, records: int) -> dict[str, Row]:
    """The raw consumer first: it and ingest read the very same topic, one after the other."""
    site = bench.site("dense", _dense(CANONICAL, records))
    rows = {
        "raw_consumer": bench.raw(site),
        "ingest_dense": bench.ingest("ingest_dense", site),
        "windows": bench.windows("windows", site),
    }
    bench.clear(site)
    return rows


def _ingest_alone(bench: Bench, name: str, work: Workload) -> Row:
    site = bench.site(name.replace("_", "-"), work)
    row = bench.ingest(name, site)
    bench.clear(site)
    return row


def _sparse(bench: Bench, records: int) -> dict[str, Row]:
    work = Workload(source_of(CANONICAL), CANONICAL, records, SPARSE_PER_S)
    site = bench.site("sparse", work)
    rows = {
        "ingest_sparse": bench.ingest("ingest_sparse", site),
        "windows_sparse": bench.windows("windows_sparse", site),
    }
    bench.clear(site)
    return rows


def _end_to_end(bench: Bench, records: int) -> Row:
    site = bench.site("end-to-end", _dense(CANONICAL, records))
    row = bench.end_to_end(site)
    bench.clear(site)
    return row
