"""What the benchmark writes is what the decoders read, and the truth says the same."""

from collections import Counter

import pytest

from alerts.bench.formats import CANONICAL, SMPP_ENVELOPE, SMPP_TEXT, TWILIO_FORM, TWILIO_JSON, Form
from alerts.bench.traffic import CARRIERS, REGIONS, Batch, Series, Truth, Workload, batches, source_of
from streams.records import Malformed, Result
from streams.source import Source

NOW_MS = 1_767_571_234_567
FORMS = {
    "canonical": (CANONICAL, True),
    "twilio_json": (TWILIO_JSON, True),
    "twilio_form": (TWILIO_FORM, True),
    "smpp_envelope": (SMPP_ENVELOPE, True),
    "smpp_text": (SMPP_TEXT, False),
}


def written(form: Form, records: int = 2_000, labelled: bool = True, seed: int = 1) -> tuple[Batch, Truth]:
    work = Workload(source_of(form, labelled=labelled), form, records, labelled=labelled, seed=seed)
    truth = Truth()
    (batch,) = batches(work, work.start_ms(NOW_MS), truth)
    return batch, truth


@pytest.mark.parametrize("name", FORMS)
def test_every_record_is_counted_as_the_truth_says(name: str) -> None:
    form, labelled = FORMS[name]
    batch, truth = written(form, labelled=labelled)
    source = Source.of(source_of(form, labelled=labelled))
    counts: Counter[Series] = Counter()
    for key, reading in zip(
        batch.keys, source.decoder.decode_batch([v.encode() for v in batch.values]), strict=True
    ):
        assert not isinstance(reading, Malformed)
        assert reading.message_id == key
        kind = source.kind(reading.status, reading.code, reading.carrier, reading.region)
        assert kind.result is Result.COUNTED
        counts[Series(kind.key.carrier, kind.key.region, kind.key.outcome_class)] += 1
    assert counts == truth.counts
    assert truth.records == sum(counts.values()) == 2_000
    assert truth.failed == sum(n for s, n in counts.items() if s.outcome_class == "absent_subscriber") > 0


def test_the_grid_has_3000_series() -> None:
    assert len(set(CARRIERS)) * len(set(REGIONS)) == 3_000


def test_canonical_values_have_200_to_250_bytes() -> None:
    batch, _ = written(CANONICAL)
    assert {len(v) // 50 for v in batch.values} == {4}


def test_message_ids_are_hex_and_unique() -> None:
    batch, _ = written(CANONICAL, 20_000)
    assert len(set(batch.keys)) == 20_000
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in batch.keys)


def test_numbers_do_not_repeat() -> None:
    batch, _ = written(CANONICAL, 20_000)
    assert len({v.split('"to":"')[1][:12] for v in batch.values}) == 20_000


def test_the_seed_decides_every_byte() -> None:
    assert written(TWILIO_FORM, seed=7) == written(TWILIO_FORM, seed=7)
    assert written(TWILIO_FORM, seed=7) != written(TWILIO_FORM, seed=8)


@pytest.mark.parametrize("per_s", [60_000, 1_200])
def test_receipts_are_even_and_end_with_a_minute_that_has_passed(per_s: int) -> None:
    work = Workload(source_of(CANONICAL), CANONICAL, 12_000, per_s)
    start_ms = work.start_ms(NOW_MS)
    (batch,) = batches(work, start_ms, Truth())
    end_ms = start_ms + 12_000 * 1000 // per_s
    assert end_ms % 60_000 == 0
    assert 20_000 <= NOW_MS - end_ms < 80_000
    assert batch.received_ms == sorted(batch.received_ms)
    assert start_ms == batch.received_ms[0] <= batch.received_ms[-1] < end_ms
