"""Scenarios: a network, its disturbances and its labelled incidents, read from TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from streams.errors import ConfigError
from streams.settings import Source
from streams.simulate.ledger import CLASSES, RULES
from streams.simulate.parts import Feed, Incident, covers, touches
from streams.simulate.parts import Scenario as Scenario
from streams.simulate.refuse import complaints
from streams.simulate.truth import ALL, Label

BUILT_IN = Path(__file__).parent / "scenarios"


def built_in() -> tuple[str, ...]:
    """Names of the scenarios that come with the product."""
    return tuple(sorted(p.stem for p in BUILT_IN.glob("*.toml")))


def load(name: str | Path) -> Scenario:
    """The scenario of that file, or the built-in one of that name. Raises ConfigError."""
    path = BUILT_IN / f"{name}.toml" if str(name) in built_in() else Path(name)
    try:
        return parse(path.read_text(encoding="utf-8"), str(name))
    except OSError as e:
        known = ", ".join(built_in())
        raise ConfigError(f"the scenario {name} can not be read: {e.strerror}; built in: {known}") from None


def parse(text: str, name: str = "scenario") -> Scenario:
    """The scenario that `text` (TOML) describes, checked. Raises ConfigError."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"the scenario {name} is not TOML: {e}") from None
    except msgspec.ValidationError as e:
        raise ConfigError(f"the scenario {name} is refused: {e}") from None
    check(scenario)
    return scenario


def check(scenario: Scenario) -> None:
    """Refuses a scenario that contradicts itself. Raises ConfigError with key, value and what is allowed."""
    for complaint in complaints(scenario):
        raise ConfigError(f"the scenario {scenario.name} is refused: {complaint}")


def sources_of(scenario: Scenario) -> tuple[Source, ...]:
    """The source settings with which the monitor reads this scenario."""
    return tuple(Source(name=f.source, format=f.format, codes=f.profile) for f in scenario.feeds)


def labels_of(scenario: Scenario, start_ms: int) -> tuple[Label, ...]:
    """The incidents as each rule should find them, times on the clock that starts at `start_ms`."""
    found = (
        _label(scenario, incident, rule, start_ms)
        for incident in scenario.incidents
        for rule in sorted(RULES)
    )
    return tuple(label for label in found if label)


def _label(scenario: Scenario, incident: Incident, rule: str, start_ms: int) -> Label | None:
    profile, codes = RULES[rule]
    seen = any(
        f.profile == profile and touches(incident, f) and _reaches(scenario, f, incident)
        for f in scenario.feeds
    )
    own = {c: share for c, share in incident.codes.items() if c in CLASSES[profile]}
    hit = sum(share for c, share in own.items() if c in codes)
    if not seen or not hit:
        return None
    begin = start_ms + round(incident.at_s * 1000)
    return Label(
        rule=rule,
        scope=incident.scope,
        carrier=incident.carrier or ALL,
        region=incident.region or ALL,
        onset_ms=begin,
        end_ms=begin + round(incident.duration_s * 1000),
        ratio=incident.ratio * hit / sum(own.values()),
    )


def _reaches(scenario: Scenario, feed: Feed, incident: Incident) -> bool:
    ours = (c for c in scenario.carriers if not feed.carriers or c.id in feed.carriers)
    return any(covers(incident, c.id, region) for c in ours for region in c.regions)
