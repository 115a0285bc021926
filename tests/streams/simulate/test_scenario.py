"""Scenarios are read from TOML and refused in words."""

import pytest

from streams.errors import ConfigError
from streams.settings import Settings, check
from streams.simulate import scenario as scenarios
from streams.simulate.numbers import regions

PLAIN = """
name = "plain"
duration_s = 60
rate = 10.0
[[feeds]]
source = "twilio"
format = "twilio-status-callback"
profile = "twilio"
share = 1.0
[[carriers]]
id = "310-260"
weight = 1
base_rate = 0.01
regions = ["US"]
[[regions]]
id = "US"
weight = 1
"""

INCIDENT = """
[[incidents]]
scope = "carrier"
carrier = "310-260"
at_s = 20
duration_s = 20
ratio = 0.4
codes = { "30003" = 1.0 }
"""


@pytest.mark.parametrize("name", scenarios.built_in())
def test_every_built_in_scenario_is_accepted(name: str) -> None:
    assert scenarios.load(name).name == name


@pytest.mark.parametrize("name", scenarios.built_in())
def test_base_rates_of_the_built_in_scenarios_stay_within_two_percent(name: str) -> None:
    assert all(0 < c.base_rate <= 0.02 for c in scenarios.load(name).carriers)


@pytest.mark.parametrize("name", ["demo", "soak", "twilio-plain", "twilio-global"])
def test_volumes_of_carriers_span_more_than_three_decades(name: str) -> None:
    weights = [c.weight for c in scenarios.load(name).carriers]
    assert max(weights) / min(weights) >= 3_000


@pytest.mark.parametrize("name", scenarios.built_in())
def test_the_sources_of_a_scenario_are_settings_the_monitor_takes(name: str) -> None:
    check(Settings(sources=scenarios.sources_of(scenarios.load(name))))


def test_the_demo_has_one_label_of_thirty_percent_or_more_that_begins_after_a_minute() -> None:
    (label,) = scenarios.labels_of(scenarios.load("demo"), 1_000_000)
    assert (label.rule, label.scope, label.carrier, label.region) == (
        "twilio_30003",
        "carrier",
        "311-480",
        "all",
    )
    assert label.ratio >= 0.3
    assert 60_000 <= label.onset_ms - 1_000_000 <= 75_000
    assert label.end_ms - label.onset_ms == 100_000


def test_an_incident_is_labelled_once_for_every_rule_that_should_find_it() -> None:
    labels = scenarios.labels_of(scenarios.load("soak"), 0)
    assert [(label.rule, label.scope) for label in labels] == [
        ("smpp_absent_subscriber", "carrier"),
        ("twilio_30003", "carrier"),
        ("twilio_30003", "region"),
        ("smpp_absent_subscriber", "pair"),
        ("twilio_30003", "global"),
    ]


def test_a_failure_that_no_rule_counts_has_no_label() -> None:
    decoy = PLAIN + INCIDENT.replace("30003", "30007")
    assert scenarios.labels_of(scenarios.parse(decoy), 0) == ()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rate = 10.0", "rate = 10.0\nspeed = 2", "speed"),
        ("rate = 10.0", "rate = 0.0", "rate = 0.0"),
        ("rate = 10.0", "rate =", "not TOML"),
        ('format = "twilio-status-callback"', 'format = "telex"', "telex"),
        ('profile = "twilio"', 'profile = "twilio-smpp"', "twilio-smpp"),
        ('regions = ["US"]', 'regions = ["GB"]', "GB"),
        ('id = "US"', 'id = "XX"', "XX"),
        ("base_rate = 0.01", "base_rate = 0.9", "base_rate"),
        ('scope = "carrier"', 'scope = "region"', "scope = 'region'"),
        ('scope = "carrier"', 'scope = "planet"', "planet"),
        ('carrier = "310-260"', 'carrier = "310-261"', "310-261"),
        ('"30003" = 1.0', '"30099" = 1.0', "30099"),
        ("ratio = 0.4", "ratio = 1.4", "ratio"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused_with_the_value(old: str, new: str, words: str) -> None:
    text = PLAIN + INCIDENT
    assert old in text
    with pytest.raises(ConfigError, match=words):
        scenarios.parse(text.replace(old, new))


def test_a_scenario_that_is_not_there_is_refused_with_the_names_of_those_that_are() -> None:
    with pytest.raises(ConfigError, match="twilio-plain"):
        scenarios.load("no-such-scenario")


def test_there_are_numbers_for_the_regions_that_scenarios_use() -> None:
    used = {r.id for name in scenarios.built_in() for r in scenarios.load(name).regions}
    assert used <= set(regions())
