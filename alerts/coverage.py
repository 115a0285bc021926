"""What scrapes see of messages without an end: rows by carrier and region, at most so many."""

from __future__ import annotations

from collections.abc import Callable, Container

import numpy as np
from numpy.typing import NDArray

from alerts.outstanding import AGES_S, Outstanding
from alerts.scopes import Leaf
from streams.exposition import Rows
from streams.metrics import Metrics

Look = Callable[[], Outstanding]


def provide(metrics: Metrics, now: Look, flagged: Callable[[], Container[Leaf]], most: int) -> None:
    """Shows what `now` gives at each scrape: of one metric at most `most` series, `flagged` pairs first."""

    def capped(rows: Callable[[Outstanding], Rows]) -> Callable[[], Rows]:
        return lambda: rows(now().capped(max(1, most // len(AGES_S)), flagged()))

    metrics.receipts_missing_by_age.provide(capped(missing))
    metrics.receipt_coverage_ratio.provide(capped(lambda state: _where_known(state, state.coverage)))
    usual = capped(lambda state: _where_known(state, state.usual_coverage))
    metrics.receipt_coverage_usual_ratio.provide(usual)
    metrics.receipt_coverage_messages.provide(capped(lambda state: _all(state, state.due)))
    metrics.receipts_expected.provide(capped(expected))
    metrics.receipts_given_up_total.provide(capped(lambda state: _all(state, state.given_up)))


def missing(state: Outstanding) -> Rows:
    """By carrier, region and age."""
    names = [(*pair, age) for age in AGES_S for pair in state.pairs]
    return Rows(names, np.concatenate([state.missing(s) for s in AGES_S.values()]).astype(float))


def expected(state: Outstanding) -> Rows:
    """1 where receipts come, 0 where none do, of pairs that are known."""
    known = state.known
    return Rows([state.pairs[i] for i in known.tolist()], state.expected[known].astype(float))


def _where_known(state: Outstanding, values: NDArray[np.float64]) -> Rows:
    known = np.flatnonzero(~np.isnan(values))
    return Rows([state.pairs[i] for i in known.tolist()], values[known])


def _all(state: Outstanding, values: NDArray[np.int64]) -> Rows:
    return Rows(list(state.pairs), values.astype(float))
