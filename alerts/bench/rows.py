"""One row of the result, and how its figures follow from what was measured."""

from __future__ import annotations

import msgspec

from alerts.bench.child import Usage


class Row(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """CPU is user and system time of the stage's own process, the broker's left out.

    `records_per_cpu_s` holds the whole process, its start included; `_steady` is without
    `startup_cpu_s`, what the same process takes over an empty topic for two seconds.
    """

    records: int
    records_per_cpu_s: int
    records_per_cpu_s_steady: int | None
    records_per_wall_s: int
    peak_rss_mb: float
    cpu_s: float
    startup_cpu_s: float
    wall_s: float
    bytes_per_record: int = 0
    ratio_to_raw: float | None = None
    ratio_to_raw_steady: float | None = None
    cells: int | None = None
    cells_per_cpu_s: int | None = None
    cells_per_cpu_s_steady: int | None = None


def row(records: int, usage: Usage, startup_cpu_s: float, wall_s: float, bytes_per_record: int = 0) -> Row:
    """`wall_s` is from the start of the process to the last record's being done."""
    return Row(
        records=records,
        records_per_cpu_s=round(records / usage.cpu_s),
        records_per_cpu_s_steady=_steady(records, usage.cpu_s, startup_cpu_s),
        records_per_wall_s=round(records / wall_s),
        peak_rss_mb=round(usage.peak_rss_mb, 1),
        cpu_s=round(usage.cpu_s, 3),
        startup_cpu_s=round(startup_cpu_s, 3),
        wall_s=round(wall_s, 3),
        bytes_per_record=bytes_per_record,
    )


def beside_raw(one: Row, raw: Row) -> Row:
    """The row with its share of what the raw consumer does, like held against like."""
    steady = None
    if one.records_per_cpu_s_steady and raw.records_per_cpu_s_steady:
        steady = round(one.records_per_cpu_s_steady / raw.records_per_cpu_s_steady, 3)
    whole = round(one.records_per_cpu_s / raw.records_per_cpu_s, 3)
    return msgspec.structs.replace(one, ratio_to_raw=whole, ratio_to_raw_steady=steady)


def with_cells(one: Row, cells: int) -> Row:
    """The row of a stage whose work is cells rather than records."""
    return msgspec.structs.replace(
        one,
        cells=cells,
        cells_per_cpu_s=round(cells / one.cpu_s),
        cells_per_cpu_s_steady=_steady(cells, one.cpu_s, one.startup_cpu_s),
    )


def _steady(n: int, cpu_s: float, startup_cpu_s: float) -> int | None:
    """None where the work is too short to be told from the start."""
    left_s = cpu_s - startup_cpu_s
    return round(n / left_s) if left_s > 0.1 * startup_cpu_s else None
