"""The stream: every record of a scenario, in the order of writing, noted in the ledger, then encoded."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from streams.simulate import encode
from streams.simulate.disturb import Disturber
from streams.simulate.ledger import Ledger
from streams.simulate.network import ROW, Network, joined
from streams.simulate.outcomes import VERDICTS
from streams.simulate.parts import Scenario
from streams.simulate.scenario import labels_of
from streams.simulate.truth import CANONICAL, KINDS, SMPP, Truth


class Emission(msgspec.Struct, frozen=True, gc=False):
    """One record to write. Times are UTC milliseconds; `at_ms` never goes back.

    The key is the message id; whoever writes may choose a partition of their own instead.
    """

    at_ms: int
    key: bytes
    value: bytes
    headers: encode.Headers
    result: str
    """What the monitor must make of it, by the ledger."""
    truth: Truth

    @property
    def source(self) -> str:
        """The source header, which for some garbage names no source."""
        return self.headers[0][1].decode()

    @property
    def timestamp_ms(self) -> int:
        """The Kafka timestamp: when it is written."""
        return self.at_ms


def new_ledger(scenario: Scenario, start_ms: int, seed: int | None = None) -> Ledger:
    """An empty ledger that knows the scenario's incidents."""
    used = scenario.seed if seed is None else seed
    return Ledger(scenario.name, used, start_ms, labels_of(scenario, start_ms))


def records(
    scenario: Scenario,
    seed: int | None,
    start_ms: int,
    ledger: Ledger | None = None,
    batch_s: int = 5,
) -> Iterator[Emission]:
    """The scenario's records, in order of writing. Without a `seed` the scenario's own counts.

    Each is noted in `ledger` right before it is encoded, so the ledger holds exactly what was
    taken from the iterator. `batch_s` is how many seconds are drawn at once; it changes nothing
    but speed and memory.
    """
    seed = scenario.seed if seed is None else seed
    ledger = new_ledger(scenario, start_ms, seed) if ledger is None else ledger
    large = scenario.disturbances.large_bytes
    for truth in truths(scenario, seed, start_ms, batch_s):
        result = ledger.note(truth)
        key = truth.message_id.encode()
        yield Emission(truth.at_ms, key, encode.value(truth, large), encode.headers(truth), result, truth)


def truths(scenario: Scenario, seed: int, start_ms: int, batch_s: int = 5) -> Iterator[Truth]:
    """The same records as they are meant, before encoding."""
    network = Network(scenario, seed)
    for rows in _rows(network, batch_s):
        yield from _as_truths(network, rows, start_ms)


def _rows(network: Network, batch_s: int) -> Iterator[np.ndarray]:
    """All rows, sorted by time of writing, a batch at a time.

    An in-flight record is written up to the longest delay before its final, so the drawing of
    finals runs that far ahead of the writing.
    """
    scenario, disturber = network.scenario, Disturber(network)
    ahead = int(scenario.delays.cap_s) + 2
    pending, drawn = np.zeros(0, dtype=ROW), 0
    for begin in range(0, scenario.duration_s, batch_s):
        end = min(begin + batch_s, scenario.duration_s)
        new = [disturber.around(network.draw(s), s) for s in range(drawn, end + ahead)]
        drawn = end + ahead
        pending = joined(pending, *new)
        at = pending["at"]
        # Taking by index is ten times faster than by mask for rows as wide as these.
        ready = pending.take(np.flatnonzero((at >= begin * 1000) & (at < end * 1000)))
        pending = pending.take(np.flatnonzero(at >= end * 1000))
        # Ties are broken by what a record is, never by when it was drawn.
        keys = ("repeat", "kind", "verdict", "serial", "at")
        yield ready[np.lexsort([ready[key] for key in keys])]


def _as_truths(network: Network, rows: np.ndarray, start_ms: int) -> Iterator[Truth]:
    leaves = network.leaves
    shifted = rows.copy()
    for column in ("at", "received", "sent", "provider"):
        shifted[column] += start_ms
    high, low = _scrambled(rows["serial"], network.seed)
    for row, a, b in zip(shifted.tolist(), high.tolist(), low.tolist(), strict=True):
        at, received, _, leaf_index, verdict, kind, repeat, as_text, recipient, sender, sent, provider = row
        leaf = leaves[leaf_index]
        yield Truth(
            at,
            received,
            _message_id(leaf.format, a, b),
            leaf,
            VERDICTS[verdict],
            KINDS[kind],
            repeat,
            as_text,
            recipient,
            sender,
            sent,
            provider,
        )


def _message_id(format_name: str, a: int, b: int) -> str:
    if format_name == CANONICAL:
        return f"r-{a:016x}"
    return f"{a}" if format_name == SMPP else f"SM{a:016x}{b:016x}"


def _scrambled(serial: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two 64-bit words per serial, one to one: ids that look random and never meet."""
    x = serial.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    return _mix64(x), _mix64(x ^ np.uint64(0xD1B54A32D192ED03))


def _mix64(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection of 64-bit words."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
