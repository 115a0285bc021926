"""Scenario files (TOML), written as folded JSON lines and a truth file, so that they go through
`carrier-health replay --folded` from outside, and scored by what that prints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from alerts.counts import DELAY_OF_COLUMN, DELAYS_S
from alerts.replay.folded import LATENCY_COLUMNS
from tests.bench.detection.network import Decoy, Fault, NetBlock, Shape, Traffic

FILES = Path(__file__).parent / "scenarios"
BOUNDS = [list(LATENCY_COLUMNS)[int(np.argmax(c == DELAY_OF_COLUMN))] for c in range(len(DELAYS_S))]
"""A bound of the latency histogram for each row of `delays`."""


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Traffic of `duration_s`, with faults and decoys in it."""

    name: str
    about: str
    duration_s: int
    network: Shape
    fault: tuple[Fault, ...] = ()
    decoy: tuple[Decoy, ...] = ()


class Score(NamedTuple):
    """What `replay` made of one scenario."""

    name: str
    expected: int
    found: int
    named: int
    """Of these, with the exact scope at the alarm."""
    other: int
    """Incidents that nothing in the truth explains."""
    delays_s: tuple[float, ...]

    @property
    def right(self) -> bool:
        return self.expected == self.found == self.named and not self.other


def load(path: Path) -> Scenario:
    return msgspec.toml.decode(path.read_bytes(), type=Scenario)


def all_scenarios() -> list[Scenario]:
    return [load(path) for path in sorted(FILES.glob("*.toml"))]


def write(scenario: Scenario, seed: int, to: Path) -> tuple[Path, Path]:
    """`NAME.jsonl` and `NAME.truth.json` in the folder `to`."""
    traffic = Traffic(scenario.network, seed)
    traffic.faults, traffic.decoys = scenario.fault, scenario.decoy
    counts, truth = to / f"{scenario.name}.jsonl", to / f"{scenario.name}.truth.json"
    to.mkdir(parents=True, exist_ok=True)
    with counts.open("wb") as file:
        while traffic.now_s < scenario.duration_s:
            for line in lines(traffic.block(), traffic):
                file.write(msgspec.json.encode(line) + b"\n")
    truth.write_text(json.dumps(_truth(scenario, seed, traffic.begin_s), indent=2) + "\n")
    return counts, truth


def lines(block: NetBlock, traffic: Traffic) -> Iterator[dict[str, Any]]:
    """One line a bucket and leaf in which something happened."""
    for t, bucket_s in enumerate(block.bucket_s.tolist()):
        columns = (a[t].tolist() for a in (block.n, block.k, block.repeats, block.sends))
        rows = zip(traffic.leaves, *columns, strict=True)
        for leaf, ((carrier, region), n, k, repeats, sends) in enumerate(rows):
            if n or sends:
                counts = {name: x for name, x in (("delivered", n - k), ("30003", k)) if x}
                line = {"bucket_start_ms": bucket_s * 1000, "bucket_s": 10, "carrier": carrier}
                line |= {"region": region, "source": "twilio", "counts": counts}
                line |= {"distinct": {"30003": k - repeats}} if k else {}
                line |= {"sends": sends} if sends else {}
                yield line | _latencies(block, t, leaf)


def _latencies(block: NetBlock, t: int, leaf: int) -> dict[str, Any]:
    """How long the receipts of one line took, where the network tells."""
    if block.delays is None:
        return {}
    names = ("delivered", "30003")
    told = {
        name: {bound: n for bound, n in zip(BOUNDS, row, strict=True) if n}
        for name, row in zip(names, block.delays[t, :, :, leaf].tolist(), strict=True)
    }
    return {"latency_s": {name: by_bound for name, by_bound in told.items() if by_bound}}


def _truth(scenario: Scenario, seed: int, begin_s: int) -> dict[str, Any]:
    incidents = [
        {
            "scope": fault.scope,
            "carrier": fault.carrier,
            "region": fault.region,
            "ratio": fault.ratio,
            "onset_ms": round((begin_s + fault.onset_s) * 1000),
            "end_ms": round((begin_s + fault.end_s) * 1000),
        }
        for fault in scenario.fault
    ]
    decoys = [msgspec.to_builtins(decoy) for decoy in scenario.decoy]
    begin_ms = begin_s * 1000
    return {
        "scenario": scenario.name,
        "seed": seed,
        "begin_ms": begin_ms,
        "incidents": incidents,
        "decoys": decoys,
    }


def replayed(counts: Path) -> list[dict[str, Any]]:
    """What the command prints, as a user calls it."""
    command = [sys.executable, "-m", "alerts.cli", "replay", "--folded", "--format", "json", str(counts)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def score(truth: dict[str, Any], incidents: list[dict[str, Any]]) -> Score:
    """An incident belongs to the true one that was under way at its alarm and shares its scope, else to
    any that was under way."""
    open_ = list(truth["incidents"])
    found, named, other, delays = 0, 0, 0, []
    for one in incidents:
        running = [t for t in open_ if t["onset_ms"] < one["detected_ms"] <= t["end_ms"]]
        exact = [t for t in running if _scope(t) == _scope(one)]
        if not running:
            other += not _held(truth, one)
            continue
        own = (exact or running)[0]
        open_.remove(own)
        found, named = found + 1, named + bool(exact)
        delays.append((one["detected_ms"] - own["onset_ms"]) / 1000)
    return Score(truth["scenario"], len(truth["incidents"]), found, named, other, tuple(delays))


def _held(truth: dict[str, Any], one: dict[str, Any]) -> bool:
    """Whether it says no more than that receipts, which are held back, are overdue."""
    return any(
        decoy["kind"] == "backlog"
        and (one["carrier"], one["region"]) == (decoy["carrier"], decoy["region"])
        and decoy["begin_s"] * 1000 < one["detected_ms"] - truth["begin_ms"] <= decoy["end_s"] * 1000
        for decoy in truth["decoys"]
    )


def _scope(of: dict[str, Any]) -> tuple[str, str, str]:
    return of["scope"], of["carrier"], of["region"]
