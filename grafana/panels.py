"""Panels by kind, each with what the house asks of it: a title, a description, a unit, a height."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    MatcherConfig,
    ValueMapping,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.look import NORMAL, PLAIN, Steps, thresholds
from grafana.variables import SOURCE

RATIO, COUNT, PER_SECOND, SECONDS, SINCE = "percentunit", "short", "cps", "s", "dateTimeFromNow"
AGE = "dtdurations"
P = TypeVar("P")
THIRD, HALF, WHOLE = 8, 12, 24
LOW, MIDDLE, HIGH = 4, 8, 10
"""Widths of 24 columns and heights in rows of some 30 px: what stands side by side at 1600 px can still
be read on a laptop."""


class Query(NamedTuple):
    """PromQL and the name of its series."""

    expr: str
    legend: str = ""
    format: PromQueryFormat = PromQueryFormat.TIME_SERIES
    instant: bool = False
    exemplars: bool = False
    """Whether the points that carry an incident's id are drawn as well."""


def now(expr: str, legend: str = "") -> Query:
    """The newest values alone, as rows of a table."""
    return Query(expr, legend, PromQueryFormat.TABLE, True)


def _ask(made: Any, queries: Sequence[Query]) -> None:
    for letter, q in zip("ABCDEFGH", queries, strict=False):
        target = prometheus.Dataquery().datasource(SOURCE).ref_id(letter).expr(q.expr).format(q.format)
        target.instant() if q.instant else target.range()
        if q.exemplars:
            target.exemplar(True)
        made.with_target(target.legend_format(q.legend) if q.legend else target)


def dress(made: P, title: str, says: str, unit: str, queries: Sequence[Query], w: int, h: int) -> P:
    """What every panel has. The builders of all kinds have these methods, but no type in common."""
    any_kind: Any = made
    any_kind.title(title).description(says).unit(unit).datasource(SOURCE).span(w).height(h)
    any_kind.no_value("nothing to show")
    _ask(any_kind, queries)
    return made


def one(
    title: str,
    says: str,
    unit: str,
    expr: str,
    steps: Steps = PLAIN,
    mappings: Sequence[ValueMapping] = (),
    *,
    w: int = 4,
    none: str = "–",
) -> stat.Panel:
    """One large number, asked of now alone: one that has gone must not look as if it were still so."""
    made = dress(stat.Panel(), title, says, unit, [Query(expr, instant=True)], w, LOW)
    made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).no_value(none)
    made.color_mode(c.BigValueColorMode.VALUE).graph_mode(c.BigValueGraphMode.NONE)
    return made.color_scheme(by_limits()).thresholds(thresholds(steps)).mappings(list(mappings))


def lines(
    title: str,
    says: str,
    unit: str,
    queries: Sequence[Query],
    *,
    w: int = HALF,
    h: int = MIDDLE,
    steps: Steps | None = None,
    top: float | None = None,
) -> timeseries.Panel:
    """Lines over time, from 0 up. `steps` draws its limits as dashed lines."""
    made = dress(timeseries.Panel(), title, says, unit, queries, w, h)
    made.line_width(2).fill_opacity(0).show_points(c.VisibilityMode.NEVER).min(0)
    made.tooltip(common.VizTooltipOptions().mode(c.TooltipDisplayMode.MULTI).sort(c.SortOrder.DESCENDING))
    made.legend(_legend()).color_scheme(build.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    if steps is not None:
        made.thresholds(thresholds(steps)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(c.GraphThresholdsStyleMode.DASHED)
        )
    return made.max(top) if top is not None else made


def by_limits() -> build.FieldColor:
    return build.FieldColor().mode(FieldColorModeId.THRESHOLDS)


def _legend() -> common.VizLegendOptions:
    shown = common.VizLegendOptions().display_mode(c.LegendDisplayMode.LIST).show_legend(True)
    return shown.placement(c.LegendPlacement.BOTTOM)


def stacked(
    title: str, says: str, unit: str, queries: Sequence[Query], *, percent: bool = False, w: int = HALF
) -> timeseries.Panel:
    """Areas one on the other; with `percent` as shares of the whole."""
    mode = c.StackingMode.PERCENT if percent else c.StackingMode.NORMAL
    made = lines(title, says, unit, queries, w=w).fill_opacity(70).line_width(0)
    return made.stacking(common.StackingConfig().mode(mode).group("A"))


def with_band(made: timeseries.Panel, low: str, high: str, middle: str) -> timeseries.Panel:
    """Draws the series `low`, `high` and `middle` as what is normal: a grey band and a dashed line."""
    grey = DynamicConfigValue("color", {"mode": "fixed", "fixedColor": NORMAL})
    edge = [grey, DynamicConfigValue("custom.lineWidth", 0), hidden_in("tooltip", "legend")]
    made.override_by_name(low, edge)
    made.override_by_name(
        high,
        [*edge, DynamicConfigValue("custom.fillBelowTo", low), DynamicConfigValue("custom.fillOpacity", 18)],
    )
    dashed = DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]})
    return made.override_by_name(middle, [grey, dashed, DynamicConfigValue("custom.lineWidth", 1)])


def hidden_in(*places: str) -> DynamicConfigValue:
    shown = {"viz": False, "legend": False, "tooltip": False}
    return DynamicConfigValue("custom.hideFrom", {**shown, **dict.fromkeys(places, True)})


def coloured(made: Any, colours: Mapping[str, str]) -> Any:
    """Fixed colours by the name of the series."""
    for name, colour in colours.items():
        made.override_by_name(name, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    return made


def bars(
    title: str, says: str, unit: str, query: Query, steps: Steps, *, w: int = THIRD, h: int = MIDDLE
) -> bargauge.Panel:
    """One bar a series, as it is now; the worst first when the query sorts them."""
    made = dress(bargauge.Panel(), title, says, unit, [query], w, h)
    made.orientation(c.VizOrientation.HORIZONTAL).display_mode(c.BarGaugeDisplayMode.BASIC).min(0)
    made.show_unfilled(True).value_mode(c.BarGaugeValueMode.COLOR)
    made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    return made.color_scheme(by_limits()).thresholds(thresholds(steps))


def states(
    title: str, says: str, query: Query, mappings: Sequence[ValueMapping], *, w: int = WHOLE, h: int = 6
) -> statetimeline.Panel:
    """One lane a series, coloured by its state."""
    made = dress(statetimeline.Panel(), title, says, "none", [query], w, h)
    made.show_value(c.VisibilityMode.NEVER).merge_values(True).row_height(0.8).fill_opacity(80).line_width(
        0
    ).per_page(20)
    made.color_scheme(by_limits()).mappings(list(mappings))
    return made.legend(_legend()).no_value("nothing happened")


def heat(title: str, says: str, expr: str, *, w: int = HALF) -> heatmap.Panel:
    """A histogram over time; `expr` gives its buckets by `le`."""
    query = Query(expr, "{{le}}", PromQueryFormat.HEATMAP)
    made = dress(heatmap.Panel(), title, says, PER_SECOND, [query], w, MIDDLE).calculate(False)
    made.color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(32))
    return made.y_axis(heatmap.YAxisConfig().unit(SECONDS)).cell_gap(1).hide_legend()


def field(name: str) -> MatcherConfig:
    return MatcherConfig(id_val="byName", options=name)
