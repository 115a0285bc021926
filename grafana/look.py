"""Colours and words with one meaning on all boards.

Names of Grafana's own palette, which it adapts to the dark and the light theme.
"""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import (
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from alerts.settings import Alerting

WELL, WARNING, CRITICAL = "green", "orange", "red"
MEASURED = "blue"
"""What is measured; not good or bad by itself."""
NORMAL = "#8e8e8e"
"""What is normal: baseline and its band. A grey that stands out on white and on black."""
INFO = "purple"

CLASS_COLOURS = {
    "delivered": "green",
    "absent_subscriber": "red",
    "memory_full": "dark-red",
    "route": "purple",
    "network_failure": "dark-orange",
    "throttled": "semi-dark-yellow",
    "expired": "orange",
    "destination": "blue",
    "policy": "light-blue",
    "spam": "dark-purple",
    "unknown": NORMAL,
}
"""Outcome classes that matter most to whoever is on call; the others take colours by name."""

Steps = tuple[tuple[float | None, str], ...]
PLAIN: Steps = ((None, MEASURED),)
RATIO: Steps = ((None, WELL), (Alerting().warning_ratio, WARNING), (Alerting().critical_ratio, CRITICAL))
"""The detector's own lines, as they are by default."""
ANY_IS_BAD: Steps = ((None, WELL), (1, CRITICAL))
ANY_IS_NOTABLE: Steps = ((None, WELL), (1, WARNING))
MUST_BE_UP: Steps = ((None, CRITICAL), (1, WELL))


def late(warning: float, critical: float) -> Steps:
    """Good below `warning`, in the unit of the panel."""
    return ((None, WELL), (warning, WARNING), (critical, CRITICAL))


def thresholds(steps: Steps) -> build.ThresholdsConfig:
    made = [Threshold(value, colour) for value, colour in steps]
    return build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(made)


def words(meaning: Mapping[str, tuple[str, str]]) -> list[ValueMapping]:
    """Value -> (text, colour)."""
    options = {
        value: ValueMappingResult(text=text, color=colour, index=i)
        for i, (value, (text, colour)) in enumerate(meaning.items())
    }
    return [ValueMap(options=options)]


SEES = words({"0": ("sees", WELL), "1": ("BLIND", CRITICAL)})
WHOLE_LIST = words({"0": ("whole", WELL), "1": ("not whole", WARNING)})
UP = words({"0": ("down", CRITICAL), "1": ("up", WELL)})
OPEN = words({"0": ("ended", WELL), "1": ("open", CRITICAL)})
HELD_BACK = words({"0": ("no", WELL), "1": ("silenced", WARNING)})
FLAGS = words(
    {"0": ("normal", WELL), "1": ("info", INFO), "2": ("warning", WARNING), "3": ("critical", CRITICAL)}
)
SEVERITIES = words(
    {"info": ("info", INFO), "warning": ("warning", WARNING), "critical": ("critical", CRITICAL)}
)
