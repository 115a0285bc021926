"""Regions on a map: a dot for each that has a place, coloured as it fails.

Grafana finds a place by name in its own lists: countries by their ISO 3166-1 codes, states of the US by
their two letters. What is in neither, a state of another country or a name of one's own, has no dot: the
table above has every region. The map's background is fetched by the browser (docs/dashboards.md).
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import common, geomap
from grafana_foundation_sdk.models import common as c
from grafana_foundation_sdk.models.geomap import TooltipMode

from grafana.look import RATIO, thresholds
from grafana.panels import HIGH, WHOLE, by_limits, dress, now
from grafana.panels import RATIO as SHARE

STATE = "state"
VALUE = "Value"


def world(title: str, says: str, by_region: str) -> geomap.Panel:
    """`by_region` is PromQL that gives one share a region."""
    with_states = f'label_replace({by_region}, "{STATE}", "$1", "region", "US-(..)")'
    made = dress(geomap.Panel(), title, says, SHARE, [now(with_states)], WHOLE, HIGH)
    made.color_scheme(by_limits()).thresholds(thresholds(RATIO))
    made.view(geomap.MapViewConfig().id("fit").all_layers(True).lat(30).lon(0).zoom(1).max_zoom(5))
    made.controls(geomap.ControlsOptions().show_zoom(True).show_attribution(True).mouse_wheel_zoom(False))
    made.tooltip(geomap.TooltipOptions().mode(TooltipMode.DETAILS))
    made.basemap(common.MapLayerOptions().type("default").name("Background").config({}))
    return made.layers(
        [
            _dots("Countries", "region", "public/gazetteer/countries.json"),
            _dots("States", STATE, "public/gazetteer/usa-states.json"),
        ]
    )


def _dots(name: str, label: str, gazetteer: str) -> common.MapLayerOptions:
    place = common.FrameGeometrySource().mode(c.FrameGeometrySourceMode.LOOKUP)
    style = {
        "color": {"field": VALUE, "fixed": "text"},
        "opacity": 0.7,
        "size": {"field": VALUE, "fixed": 6, "min": 5, "max": 18},
        "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
    }
    made = common.MapLayerOptions().type("markers").name(name).tooltip(True)
    made.location(place.lookup(label).gazetteer(gazetteer)).config({"showLegend": False, "style": style})
    return made
