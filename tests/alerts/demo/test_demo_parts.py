"""The parts of the demonstration, without any server: configuration, clock, proof, story, words."""

from __future__ import annotations

import io
import json
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from alerts.advice.records import Advice, Hold, Reason, Record, Release
from alerts.cli.demo import demo
from alerts.demo import events, past
from alerts.demo.configuration import Addresses, DemoClock, clock_of, configuration, without_ours
from alerts.demo.events import Event, Teller
from alerts.demo.faults import FAULTS
from alerts.demo.proof import Proof
from alerts.demo.receiver import Entry
from alerts.demo.story import Story
from alerts.demo.traffic import Options
from alerts.demo.watch import Flag, changes, flags_in
from alerts.records import Decision, Incident, Severity, State
from alerts.settings import Settings, check_pager, load
from alerts.supervise import ROLES, Note, What
from streams.errors import ConfigError
from streams.label_values import Advised
from streams.settings import Clock
from streams.simulate import scenario as scenarios
from streams.simulate.past import BLOCK_S
from streams.simulate.truth import Label

AT = Addresses("127.0.0.1:9092", "redis://127.0.0.1:6379/0", "http://127.0.0.1:9199", 20001, 20002, 20003)
ONSET_MS = 1_800_000_065_000
LABEL = Label("twilio_30003", "carrier", "311-480", "all", ONSET_MS, ONSET_MS + 100_000, 0.41)


def incident(**changed: Any) -> Incident:
    bucket_s = ONSET_MS // 1000 - 5
    plain = Incident(
        key=f"ch:twilio_30003:carrier:311-480:all:{bucket_s}",
        seq=1,
        rule="twilio_30003",
        scope="carrier",
        carrier="311-480",
        region="all",
        state=State.OPEN,
        severity=Severity.CRITICAL,
        opened_bucket_s=bucket_s,
        detected_ms=(bucket_s + 10) * 1000,
        last_bucket_s=bucket_s,
        reason=Decision.ABOVE_CRITICAL,
    )
    return msgspec.structs.replace(plain, **changed)


def entry(action: str, effect: str, key: str = incident().key, at_ms: int = ONSET_MS + 15_000) -> Entry:
    event: dict[str, Any] = {"event_action": action, "dedup_key": key}
    if action == "trigger":
        event["payload"] = {"severity": "critical", "summary": "s"}
    return Entry(at_ms, "accept", 202, effect, effect == "opened", [], event)


# What is known before the first record


def test_the_scenarios_own_network_is_learned_up_to_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days of it: the two weeks of a demonstration take a minute where the machine is busy."""
    assert past.BLOCKS * BLOCK_S == 14 * 86_400
    monkeypatch.setattr(past, "BLOCKS", 3 * 86_400 // BLOCK_S)
    scenario = scenarios.load("demo")
    settings = Settings(sources=scenarios.sources_of(scenario))
    now_ms = ONSET_MS + 123_000
    state = past.learned(scenario, 1, settings, now_ms)
    twilio = state.rules[0]
    assert now_ms // 1000 - 620 < state.bucket_s < now_ms // 1000
    assert twilio.rule == "twilio_30003" and ("311-480", "US-CA") in twilio.index.leaves
    age_s = state.bucket_s - twilio.learned.baseline.born_s.min()
    assert age_s == pytest.approx(3 * 86_400, abs=600)
    expected = twilio.learned.baseline.expected(state.policy, state.bucket_s)
    assert ((expected > 0.002) & (expected < 0.012)).all()
    assert not state.cases and not any(rule.charts.w.any() for rule in state.rules)


# Configuration and clock


def test_the_written_configuration_is_accepted_and_pages_the_receiver(tmp_path: Path) -> None:
    path = tmp_path / "carrier-health.toml"
    scenario = scenarios.load("demo")
    path.write_text(configuration(scenarios.sources_of(scenario), AT, Clock()), encoding="utf-8")
    settings = load(path, {})
    check_pager(settings)
    assert [s.name for s in settings.sources] == ["router", "twilio", "smpp-east"]
    assert settings.pagerduty.base_url == AT.pager
    assert settings.incidents_url == "http://127.0.0.1:20003/incidents"
    assert (settings.http.ingest_port, settings.http.windows_port) == (20001, 20002)


def test_keys_are_drawn_anew_for_each_run() -> None:
    assert configuration((), AT, Clock()) != configuration((), AT, Clock())


def test_settings_of_a_real_installation_do_not_reach_the_roles() -> None:
    env = {
        "PATH": "/bin",
        "CARRIER_HEALTH_CACHE": "/c",
        "CARRIER_HEALTH_CONFIG": "/real.toml",
        "CARRIER_HEALTH_KAFKA__BOOTSTRAP_SERVERS": "real:9092",
    }
    assert without_ours(env) == {"PATH": "/bin", "CARRIER_HEALTH_CACHE": "/c"}


def test_a_fast_clock_begins_in_the_past_and_reaches_now_at_the_end_of_the_span() -> None:
    clock = clock_of(4, 400, 1_000_000_000)
    assert clock.at_ms(1_000_000_000) == 1_000_000_000 - 300_000
    assert clock.at_ms(1_000_100_000) == 1_000_100_000


def test_at_speed_1_the_clock_is_the_wall_clock() -> None:
    clock = clock_of(1, 400, 1_000_000_000)
    assert clock.config == Clock()
    assert clock.at_ms(1_234_567_890) == 1_234_567_890


def test_without_an_end_the_clock_of_a_fast_run_stays_behind_now() -> None:
    options = Options(scenarios.load("demo"), 1, speed=4)
    assert clock_of(4, options.span_s, 10**12).at_ms(10**12 + 3_600_000) < 10**12 + 3_600_000


# What happened to an incident


def test_a_new_incident_has_opened() -> None:
    assert changes(None, incident()) == ["opened"]


def test_an_incident_that_is_first_seen_at_its_end_has_opened_and_resolved() -> None:
    assert changes(None, incident(state=State.RESOLVED)) == ["opened", "resolved"]


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({}, {"ratio": 0.5}, []),
        ({}, {"state": State.RESOLVED}, ["resolved"]),
        ({"state": State.RESOLVED}, {}, ["reopened"]),
        ({"severity": Severity.WARNING}, {}, ["escalated"]),
        ({}, {"severity": Severity.INFO}, ["stepped_down"]),
        ({}, {"current_scope": "pair", "current_region": "US-CA"}, ["scope_changed"]),
    ],
)
def test_what_is_told_is_what_changed(before: Event, now: Event, said: list[str]) -> None:
    assert changes(incident(**before), incident(**now)) == said


def test_flags_are_the_series_that_are_1() -> None:
    text = """# TYPE carrier_health_flag_active gauge
carrier_health_flag_active{rule="r",carrier="311-480",region="US-CA",severity="critical"} 1.0
carrier_health_flag_active{rule="r",carrier="310-260",region="US-CA",severity="warning"} 0.0
carrier_health_redis_up 1.0
"""
    assert flags_in(text) == {Flag("r", "311-480", "US-CA", "critical")}
    assert flags_in("") == set()


# The proof


def test_all_is_seen_once_the_labelled_incident_has_opened_paged_and_resolved_and_lets_go() -> None:
    proof, said = Proof((LABEL,)), []
    steps = (
        lambda: proof.incident(incident()),
        lambda: proof.page(incident().key, "opened"),
        lambda: proof.incident(incident(state=State.RESOLVED)),
        lambda: proof.page(incident().key, "resolved"),
        lambda: proof.hold(incident().key, released=False),
        lambda: proof.hold(incident().key, released=True),
    )
    for step in steps:
        said += [m.split(": ")[1] for m in proof.missing]
        step()
    assert said == [
        "no incident has opened",
        "open with severity critical, nobody was paged",
        "the incident has not resolved",
        "the page has not resolved",
        "nobody was told to hold retries",
        "retries are held still",
    ]
    assert proof.missing == [] and proof.unlabelled == []


def test_an_incident_elsewhere_is_counted_as_unlabelled_and_proves_nothing() -> None:
    proof = Proof((LABEL,))
    proof.incident(incident(carrier="310-260", key="other"))
    assert len(proof.unlabelled) == 1
    assert proof.missing == ["twilio_30003 carrier 311-480/all: no incident has opened"]


def test_a_part_of_the_labelled_scope_is_the_incident_but_not_as_labelled() -> None:
    proof, part = Proof((LABEL,)), incident(scope="pair", region="US-CA")
    proof.incident(part)
    assert proof.label_of(part) is LABEL
    assert proof.unlabelled == [part]


def test_what_was_found_before_the_onset_is_not_the_labelled_incident() -> None:
    assert Proof((LABEL,)).label_of(incident(detected_ms=ONSET_MS - 1)) is None


# The story


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def story(told: list[Event]) -> Story:
    settings = msgspec.structs.replace(
        Settings(), alerting=msgspec.structs.replace(Settings().alerting, public_url=AT.role("alerts"))
    )
    return Story(told.append, DemoClock(Clock()), settings, Proof((LABEL,)))


def test_the_page_stands_beside_the_label_with_its_delay(story: Story, told: list[Event]) -> None:
    story.incidents([("opened", incident())])
    story.pages([entry("trigger", "opened")])
    opened, page = told
    assert (opened["bucket_delay_s"], opened["labelled"]) == (5.0, True)
    assert (page["onset_ms"], page["page_ms"], page["delay_s"]) == (ONSET_MS, ONSET_MS + 15_000, 15.0)
    assert page["url"] == f"http://127.0.0.1:20003/incidents/{incident().key}"


def test_the_delay_of_a_resolve_counts_from_the_labelled_end(story: Story, told: list[Event]) -> None:
    story.incidents([("opened", incident())])
    story.pages([entry("resolve", "resolved", at_ms=LABEL.end_ms + 40_000)])
    assert (told[-1]["action"], told[-1]["delay_s"]) == ("resolve", 40.0)


def test_the_page_of_an_escalation_belongs_to_its_incident(story: Story, told: list[Event]) -> None:
    story.incidents([("", incident())])
    story.pages([entry("trigger", "opened", incident().key + ":critical")])
    assert (told[0]["key"], told[0]["delay_s"]) == (incident().key, 15.0)


def test_a_page_waits_until_its_incident_has_been_read(story: Story, told: list[Event]) -> None:
    story.pages([entry("trigger", "opened", at_ms=int(time.time() * 1000))])
    assert told == []
    story.incidents([("opened", incident())])
    story.pages([])
    assert [e["event"] for e in told] == ["incident", "page"]


def test_a_label_is_told_when_it_begins_and_when_it_ends(story: Story, told: list[Event]) -> None:
    for now_ms in (ONSET_MS - 1, ONSET_MS, ONSET_MS + 1, LABEL.end_ms, LABEL.end_ms + 1):
        story.labels(now_ms)
    assert [e["action"] for e in told] == ["begin", "end"]


def advice(decision: Advised, reason: Reason, not_before_ms: int | None, incident: str | None) -> Advice:
    how = (decision, reason, 1, 3, not_before_ms, incident, ONSET_MS)
    where = ("absent_subscriber", "30003", "311-480", "US-CA", "")
    return Advice("SM1", "twilio", "0" * 16, "k", *how, *where, False, False)


ADVICE: tuple[Record, ...] = (
    advice(Advised.RETRY, Reason.ISOLATED, ONSET_MS + 1_801_000, None),
    advice(Advised.HOLD, Reason.INCIDENT, ONSET_MS + 1_801_000, incident().key),
    advice(Advised.STOP, Reason.PERMANENT, None, None),
    advice(Advised.OTHER_CHANNEL, Reason.TIME_CRITICAL, ONSET_MS, None),
    Hold(
        incident().key, "twilio_30003", "carrier", "311-480", "all", (), ("twilio",), ("30003",), (), ONSET_MS
    ),
    Release(incident().key, ONSET_MS, ONSET_MS + 100_000),
)


def test_the_first_message_of_each_decision_is_told_and_all_are_counted(
    story: Story, told: list[Event]
) -> None:
    story.advice([*ADVICE, *ADVICE[:3]])
    assert [e.get("decision") or e["action"] for e in told] == [
        *Advised.__members__.values(),
        "held",
        "released",
    ]
    story.done(True, "why", 1000, 60.0)
    assert told[-1]["advised"] == {"retry": 2, "hold": 2, "stop": 2, "other_channel": 1}


def tell_everything(story: Story) -> None:
    story.advice(ADVICE)
    story.labels(LABEL.end_ms)
    for action in ("opened", "escalated", "scope_changed", "resolved"):
        story.incidents([(action, incident())])
    story.incidents([("opened", incident(key="x", carrier="310-260", scope="global"))])
    refused = msgspec.structs.replace(entry("trigger", ""), status=500)
    story.pages(
        [entry("trigger", "opened"), entry("trigger", "repeated"), entry("resolve", "resolved"), refused]
    )
    story.flags([("raised", Flag("r", "c", "US", "critical")), ("cleared", Flag("r", "c", "US", "critical"))])
    story.role(Note("ingest", What.ENDED, 3, 0.5), "the last line")
    story.role(Note("ingest", What.STARTED), "")
    story.say("fault", name="kill-ingest", role="ingest", pid=7, over=None)
    story.say("rate", records=1000, records_per_s=500.0)
    for part in ("kafka", "ingest"):
        story.say("progress", part=part, state="ready", wall_s=1.0)
    urls = dict.fromkeys(("incidents", "pager", *ROLES), "u")
    story.say(
        "started",
        scenario="demo",
        seed=1,
        speed=2.0,
        wall_s=8.0,
        versions={"a": "1"},
        urls=urls,
        pages_token="t",
        directory="d",
    )
    story.say("recipients", listed=3, missing=0, surplus=0)
    for ok in (True, False):
        story.done(ok, "why", 1000, 60.0)


def test_every_event_is_documented_and_can_be_said_to_people(story: Story, told: list[Event]) -> None:
    tell_everything(story)
    assert {e["event"] for e in told} == set(events._WORDS)
    for event in told:
        assert f"- `{event['event']}`" in (events.__doc__ or "")
        assert all(f"`{field}`" in (events.__doc__ or "") for field in event)
        assert "None" not in events.in_words(event)


def test_with_json_every_event_is_one_line(story: Story, told: list[Event]) -> None:
    tell_everything(story)
    with redirect_stdout(io.StringIO()) as out:
        for event in told:
            Teller(as_json=True)(event)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == told


def test_people_see_seconds_since_the_traffic_began(story: Story, told: list[Event]) -> None:
    story.say("rate", records=1, records_per_s=1.0)
    teller = Teller(as_json=False)
    teller.begin(told[0]["at_ms"] - 12_300)
    with redirect_stdout(io.StringIO()) as out:
        teller(told[0])
    assert out.getvalue().startswith("   12.3 s  traffic")


# The command


def test_help_names_every_fault() -> None:
    shown = " ".join(CliRunner().invoke(demo, ["--help"]).output.split())
    assert all(name in shown for name in FAULTS)


@pytest.mark.parametrize(
    "arguments", [["--fault", "kill-kafka"], ["--speed", "0"], ["--for", "0"], ["--seed", "-1"]]
)
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(demo, arguments).exit_code == 2


def test_a_scenario_that_can_not_end_is_refused_before_anything_starts(tmp_path: Path) -> None:
    text = (scenarios.BUILT_IN / "demo.toml").read_text()
    late, calm = tmp_path / "late.toml", tmp_path / "calm.toml"
    late.write_text(text.replace("at_s = 65", "at_s = 400"))
    calm.write_text(text[: text.index("[[incidents]]")] + text[text.index("[[carriers]]") :])
    for path, why in ((late, "last incident begins at 400 s"), (calm, "has no incident")):
        result = CliRunner().invoke(demo, ["--once", "--scenario", str(path)])
        assert isinstance(result.exception, ConfigError)
        assert why in str(result.exception)
