"""What a stream meets on its way: repeats, late and disordered records, conflicts, garbage.

Each takes finals as drawn and gives the records around them. Chances come from a generator of
their own, so that switching one off leaves the messages as they were.
"""

from __future__ import annotations

import math

import numpy as np

from streams.simulate.network import SERIAL_BITS, Network, joined
from streams.simulate.outcomes import DELIVERED, FAILURES, IN_FLIGHT, INDEX
from streams.simulate.truth import CANONICAL, GARBAGE_OF, KINDS, Kind

_CODE = {kind: i for i, kind in enumerate(KINDS)}
_STRANGER = 1 << (SERIAL_BITS - 1)
"""Added to the serial of records that stand in for no message of the network."""
_LATE_FROM_MS = 120_000
"""Before this nothing is written late: a monitor that just started has closed no bucket yet."""


class Disturber:
    """Turns the finals of one second into all the records that come of them."""

    def __init__(self, network: Network) -> None:
        self._network, self._d = network, network.scenario.disturbances
        leaves = network.leaves
        feeds = np.array([f.in_flight for f in network.scenario.feeds])
        self._in_flight = feeds[network.feed]
        self._sent_verdict = np.array([INDEX[IN_FLIGHT[leaf.profile]] for leaf in leaves])
        self._delivered = np.array([INDEX[DELIVERED[leaf.profile]] for leaf in leaves])
        self._takes_inbound = np.array([leaf.format != CANONICAL for leaf in leaves])
        self._can_be_garbage, self._garbage = _garbage_table(network)
        counted = {v for mix in FAILURES.values() for v, _ in mix}
        self._failures = np.array(sorted(INDEX[v] for v in counted))

    def around(self, finals: np.ndarray, second: int) -> np.ndarray:
        """All records that come of these finals, in no order; some are written before them."""
        rng = self._network.rng(3, second)
        u, finals = rng.random(len(finals)), finals.copy()
        late = (u < self._d.late) & (finals["received"] >= _LATE_FROM_MS)
        self._delay(finals, late, rng)
        conflicts = self._conflicts(finals, ~late & (u > 1 - self._d.conflicts), rng)
        settled = ~late & ~np.isin(finals["serial"], conflicts["serial"])
        sent = self._sent(finals, rng)
        repeats = self._repeats(joined(finals[settled], sent), rng)
        return joined(finals, conflicts, sent, repeats, self._strangers(finals, rng))

    def _delay(self, rows: np.ndarray, late: np.ndarray, rng: np.random.Generator) -> None:
        """Moves some records' writing behind their receipt time: a little, or too late to count."""
        lag = rng.integers(0, max(1, int(self._d.disorder_s * 1000)), len(rows))
        rows["at"] += np.where(rng.random(len(rows)) < self._d.disorder, lag, 0)
        rows["at"][late] = rows["received"][late] + rng.integers(60_000, 90_000, int(late.sum()))
        rows["kind"][late] = _CODE[Kind.LATE]

    def _conflicts(self, finals: np.ndarray, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A delivered final after one that failed, for the same message."""
        dead = np.isin(finals["recipient"], self._network.dead)
        rows = finals[chosen & ~dead & np.isin(finals["verdict"], self._failures)]
        rows["verdict"] = self._delivered[rows["leaf"]]
        rows["kind"] = _CODE[Kind.CONFLICT]
        return _moved(rows, rng.integers(5_000, 60_000, len(rows)))

    def _sent(self, finals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The in-flight record ahead of each final; a few overtake the wrong way round."""
        rows = finals[self._in_flight[finals["leaf"]]]
        rows["verdict"] = self._sent_verdict[rows["leaf"]]
        rows["kind"] = _CODE[Kind.MESSAGE]
        after = rng.random(len(rows)) < self._d.sent_after_final
        ahead = rows["sent"] + rng.integers(200, 900, len(rows))
        rows["at"] = np.where(after, rows["at"] + rng.integers(100, 2_000, len(rows)), ahead)
        rows["received"] = rows["at"]
        rows["provider"] = np.minimum(rows["provider"], rows["at"])
        return np.asarray(rows)

    def _repeats(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Exact repeats, half a second to two minutes on: mostly soon."""
        chosen = rows[(rng.random(len(rows)) < self._d.duplicates) & (rows["at"] >= 0)]
        gap = np.exp(rng.uniform(math.log(500), math.log(120_000), len(chosen))).astype(np.int64)
        chosen["repeat"] = True
        return _moved(chosen, gap)

    def _strangers(self, finals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Records that are no message of ours: inbound ones and garbage."""
        u, v = rng.random(len(finals)), rng.random(len(finals))
        leaf = finals["leaf"]
        inbound = finals[(u < self._d.inbound) & self._takes_inbound[leaf]]
        inbound["kind"] = _CODE[Kind.INBOUND]
        chosen = (u > 1 - self._d.garbage) & self._can_be_garbage[leaf]
        garbage = finals[chosen]
        column = (v[chosen] * self._garbage.shape[1]).astype(np.int64)
        garbage["kind"] = self._garbage[garbage["leaf"], column]
        rows = joined(inbound, garbage)
        rows["serial"] += _STRANGER
        rows["received"] = rows["at"]
        rows["received"][rows["kind"] == _CODE[Kind.FUTURE]] += int(self._d.future_s * 1000)
        return rows


def _moved(rows: np.ndarray, by_ms: np.ndarray) -> np.ndarray:
    rows["at"] += by_ms
    rows["received"] = rows["at"]
    return rows


def _garbage_table(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Which leaves can bring garbage, and per leaf a row of kinds to choose from evenly."""
    wanted = network.scenario.disturbances.garbage_kinds
    kinds = [[_CODE[k] for k in wanted if k in GARBAGE_OF[leaf.format]] for leaf in network.leaves]
    width = math.lcm(*(len(row) or 1 for row in kinds))
    table = np.array([(row or [0]) * (width // (len(row) or 1)) for row in kinds])
    return np.array([bool(row) for row in kinds]), table
