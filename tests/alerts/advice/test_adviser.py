"""From failed messages to records: what they say, how often, and what is counted on the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.advice.adviser import Adviser
from alerts.advice.held import Held
from alerts.advice.records import Advice, Reason, decoder, schema
from alerts.advice.rules import Policy
from alerts.recipients.entry import Seen
from alerts.settings_advice import Advice as AdviceSettings
from streams.codes import BUILT_IN
from streams.label_values import Advised
from streams.metrics import Metrics, Role
from streams.permanence import Permanence
from streams.records import FailedRecipient
from streams.settings import Source
from tests.alerts.advice.test_held import BOOK, OPENED_S, PAIR, at, holding, spells

SCHEMA = Path(__file__).parents[3] / "docs" / "retry-advice.schema.json"
SOURCES = (Source(name="west", format="canonical", codes="twilio"),)
NOTHING = Held((), OPENED_S + 10_000, BOOK)
HALF_HOUR_S = 1800


def known(
    attempt: int = 1,
    first_s: int = OPENED_S,
    previous_s: int | None = None,
    *,
    listed: bool = False,
    again: bool = False,
) -> Seen:
    """What the state of the recipients says."""
    return Seen(first_s, attempt, attempt, listed, previous_s, again)


def adviser() -> Adviser:
    metrics = Metrics(Role.ALERTS, source=("west",))
    return Adviser(Policy.of(AdviceSettings()), Permanence(SOURCES, BUILT_IN), metrics)


def failed(
    message_id: str = "SM1", code: str = "30003", at_s: int = OPENED_S, traffic_class: str | None = None
) -> FailedRecipient:
    outcome_class = {"30003": "absent_subscriber", "30006": "destination"}.get(code, "unknown")
    head, place = (f"{7:016x}", message_id, f"{9:016x}"), ("west", "310-260", "US", outcome_class, code)
    return FailedRecipient(*head, *place, "+12025550100", at_s * 1000, "k1", traffic_class)


def advised(one: Adviser, row: FailedRecipient, seen: Seen, held: Held = NOTHING) -> Advice | None:
    records = one([row], [seen], held)
    if not records:
        return None
    ((key, value),) = records
    assert key == row.message_id.encode()
    advice = decoder.decode(value)
    assert isinstance(advice, Advice)
    return advice


def test_an_isolated_failure_may_be_tried_again_after_half_an_hour() -> None:
    advice = advised(adviser(), failed(), known())
    assert advice == Advice(
        message_id="SM1",
        source="west",
        recipient="0000000000000007",
        key_id="k1",
        decision=Advised.RETRY,
        reason=Reason.ISOLATED,
        attempt=1,
        max_attempts=3,
        not_before_ms=(OPENED_S + 1 + HALF_HOUR_S) * 1000,
        incident=None,
        failed_ms=OPENED_S * 1000,
        outcome_class="absent_subscriber",
        code="30003",
        carrier="310-260",
        region="US",
        sender="+1202•••0100",
        too_soon=False,
        too_often=False,
    )


def test_a_failure_in_an_open_incident_is_held_and_names_it() -> None:
    open_one = holding(*spells((100, PAIR)))
    held, row = Held([open_one], OPENED_S + 1000, BOOK), failed(at_s=OPENED_S + 200)
    advice = advised(adviser(), row, known(first_s=OPENED_S + 200), held)
    assert advice is not None
    assert (advice.decision, advice.reason, advice.incident) == (Advised.HOLD, Reason.INCIDENT, open_one.key)
    assert advice.not_before_ms == at(201 + HALF_HOUR_S)
    urgent = advised(
        adviser(),
        failed(traffic_class="time_critical", at_s=OPENED_S + 200),
        known(first_s=OPENED_S + 200),
        held,
    )
    assert urgent is not None
    assert (urgent.decision, urgent.incident, urgent.not_before_ms) == ("other_channel", None, at(200))


def test_permanence_comes_from_the_code_table_of_the_source() -> None:
    permanence = Permanence(SOURCES, BUILT_IN)
    assert permanence("west", "30006") == "permanent" and permanence("west", "30003") == "temporary"
    assert permanence("west", "") == permanence("west", "99999") == permanence("gone", "30006") == "unknown"
    advice = advised(adviser(), failed(code="30006"), known())
    assert advice is not None and (advice.decision, advice.reason) == (Advised.STOP, Reason.PERMANENT)
    assert advice.not_before_ms is None


def test_what_is_read_again_is_written_the_same_and_another_receipt_of_the_message_adds_nothing() -> None:
    one = adviser()
    first = advised(one, failed(), known())
    assert advised(one, failed(), known(again=True)) == first
    assert advised(one, failed(at_s=OPENED_S + 900), known(again=True)) is None
    counted = one._metrics.retry_advice_total.labels("west", Advised.RETRY)._value.get()
    assert counted == 1


def test_who_sends_too_soon_or_too_often_is_counted_by_source() -> None:
    one = adviser()
    times = [(1, None), (2, OPENED_S - 1799), (3, OPENED_S - 1800), (4, OPENED_S - 3600), (5, OPENED_S - 60)]
    said = [advised(one, failed(f"SM{n}"), known(n, previous_s=s)) for n, s in times]
    assert [(a.too_soon, a.too_often) for a in said if a] == [
        (False, False),
        (True, False),
        (False, False),
        (False, False),
        (True, True),
    ]
    metrics = one._metrics
    assert metrics.retry_too_soon_total.labels("west")._value.get() == 2
    assert metrics.retry_too_often_total.labels("west")._value.get() == 1


@given(
    attempt=st.integers(1, 6),
    listed=st.booleans(),
    previous_s=st.none() | st.integers(OPENED_S - 10_000, OPENED_S),
    code=st.sampled_from(["30003", "30006", "30005", "30008", ""]),
    urgent=st.booleans(),
    within_ms=st.integers(0, 999),
)
def test_a_record_says_the_same_however_often_it_is_made(
    attempt: int, listed: bool, previous_s: int | None, code: str, urgent: bool, within_ms: int
) -> None:
    row = failed(code=code, traffic_class="time_critical" if urgent else None)
    late = msgspec.structs.replace(row, received_ms=row.received_ms + within_ms)
    seen = known(attempt, previous_s=previous_s, listed=listed)
    first = advised(adviser(), late, seen)
    again = advised(adviser(), late, seen._replace(repeated=True))
    assert first == again and first is not None
    if first.decision in (Advised.RETRY, Advised.HOLD):
        assert first.not_before_ms is not None
        assert first.not_before_ms >= late.received_ms + HALF_HOUR_S * 1000 and first.attempt <= 3


def test_the_published_schema_is_that_of_the_code() -> None:
    text = json.dumps(schema(), indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_DOCS"):
        SCHEMA.write_text(text)
    assert SCHEMA.read_text() == text, "retry-advice.schema.json is old: UPDATE_DOCS=1"


def test_no_record_holds_a_number() -> None:
    ((_, value),) = adviser()([failed()], [known()], NOTHING)
    fields = json.loads(value)
    assert fields.keys() == set(Advice.__struct_fields__) | {"kind"}
    assert len(fields["recipient"]) == 16 and "+12025550100" not in value.decode()
