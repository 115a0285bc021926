"""The 26 traps of the field, by number: what embarrasses a monitor of SMS outcomes, and does not here.

Each test goes the whole way where it can: a provider's bytes in, counts and incidents out.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from alerts import paging, snapshot
from alerts.counts import Count
from alerts.decide import begin
from alerts.detect import RuleState, fresh, step
from alerts.policy import Policy
from alerts.records import Severity
from streams import journal
from streams.codes import profiles, table
from streams.gateway.form import fields_of
from streams.gateway.signature import is_signed, signature
from streams.journal import Assembler
from streams.settings import Source
from streams.sliding import Sliding
from tests.alerts.traffic import RULE, Fault, Network, decide_one, names, run
from tests.pipeline import T0_MS, Pipeline, Said, callback, canonical, receipt

TWILIO = Source(name="twilio", format="twilio-status-callback")
SMPP = Source(name="smpp", format="smpp-receipt")
API = Source(name="api", format="canonical")
ABSENT = {"ErrorCode": "30003"}
NUMBER = "12025550123"
DAY_S = 86_400
DAY = DAY_S // 10
"""Buckets of a day."""
START_S = 1_799_971_200


def event(sid: str, status: str, code: object = None, at_s: float = 0.0, **data: object) -> Said:
    said = {
        "messageSid": sid,
        "messageStatus": status,
        "errorCode": code,
        "timestamp": "2026-07-17T12:00:00Z",
    }
    return Said("events", json.dumps({"data": {**said, **data}}).encode(), at_s)


def watch(state: RuleState, begin: int, end: int, ratio: Callable[[int], float]) -> tuple[RuleState, int]:
    """One series of 10/s over the 10 s buckets [begin, end): its state, and how often it alarmed anew."""
    rng, alarms = np.random.default_rng(begin), 0
    for bucket in range(begin, end):
        n = int(rng.poisson(100))
        k = int(rng.binomial(n, ratio(bucket)))
        counts = {("310-260", "US"): Count(n, k, n, k)}
        state, said = step(state, Policy(), START_S + 10 * bucket, counts)
        alarms += int(said.alarms.fresh.sum())
    return state, alarms


# -- 1 to 4: what is counted ---------------------------------------------------------------------


def test_trap_01_a_repeat_counts_once_whether_retried_redelivered_or_told_twice() -> None:
    accounts = (
        Source(name="twilio", format="twilio-status-callback", account="AC1"),
        Source(name="events", format="twilio-event-streams", account="AC1"),
    )
    p = Pipeline(*accounts)
    p.read(callback("SM1", "undelivered", **ABSENT), callback("SM1", "undelivered", **ABSENT))
    p.read(event("SM1", "UNDELIVERED", 30003)).close(10)
    assert p.results == {"counted": 1, "duplicate": 2}
    assert p.counts("twilio_30003") == (1, 1)


def test_trap_01_a_repeat_counts_once_across_a_restart() -> None:
    p = Pipeline(TWILIO).read(callback("SM1", "undelivered", **ABSENT)).flush()
    p.start(offset=1, replay_from=0)
    p.read(callback("SM1", "undelivered", **ABSENT), callback("SM1", "undelivered", **ABSENT)).close(10)
    assert p.results == {"counted": 1, "duplicate": 1}


def test_trap_02_statuses_out_of_order_settle_by_rank_and_a_second_final_is_a_conflict() -> None:
    p = Pipeline(TWILIO).read(
        callback("SM1", "delivered"),
        callback("SM1", "sent", 1),
        callback("SM1", "undelivered", 2, **ABSENT),
        callback("SM2", "undelivered", 2, **ABSENT),
        callback("SM2", "delivered", 3),
    )
    p.close(10)
    assert p.results == {"counted": 2, "in_flight": 1, "conflict": 2}
    assert {k.outcome_class: n for k, n in p.counted.items()} == {"delivered": 1, "absent_subscriber": 1}


def test_trap_03_a_late_receipt_is_counted_late_and_never_as_now() -> None:
    p = Pipeline(TWILIO).read(callback("SM1", "delivered", 3)).close(60)
    p.read(callback("SM2", "undelivered", 4, **ABSENT), now_s=61).close(70)
    assert sum(p.counted.values()) == 1
    assert [sum(c.late.finals) for c in p.closed if c.late.finals] == [1]


def flushed(age_s: float) -> Pipeline:
    """Ten minutes of ordinary traffic, then 500 receipts at once, 40 % failed, sent `age_s` before."""
    p = Pipeline(API)
    for i in range(60):
        fine = [ordinary(f"m{i}-{j}", "delivered", 10 * i + 5) for j in range(50)]
        p.read(*fine, ordinary(f"m{i}-x", "undelivered", 10 * i + 5)).flush()
    for i in range(500):
        p.read(ordinary(f"late{i}", "undelivered" if i % 5 < 2 else "delivered", 605, age_s))
    return p.close(700)


def ordinary(message_id: str, status: str, at_s: float, age_s: float = 5) -> Said:
    sent_ms = T0_MS + int(1000 * (at_s - age_s))
    code = "30003" if status == "undelivered" else None
    to = f"+1555{crc32(message_id.encode()) % 10**7:07}"
    return canonical(message_id, status, at_s, code=code, to=to, carrier="310-260", sent_time_ms=sent_ms)


def test_trap_03_a_flush_of_old_receipts_is_no_spike_and_a_spike_is_one() -> None:
    assert flushed(age_s=3 * 3600).incidents() == {}
    assert [i.severity for i in flushed(age_s=5).incidents().values()] == [Severity.CRITICAL]


def test_trap_04_the_denominator_is_the_finals_not_callbacks_sends_or_own_faults() -> None:
    p = Pipeline(TWILIO)
    for sid, end in (("SM1", "delivered"), ("SM2", "delivered"), ("SM3", "undelivered")):
        code = ABSENT if end == "undelivered" else {}
        p.read(callback(sid, "queued"), callback(sid, "sent", 1), callback(sid, end, 2, **code))
    p.read(callback("SM4", "failed", 2, ErrorCode="30001"))
    p.read(*(callback("SM5", "delivered", 3) for _ in range(3)))  # a receipt a part of a long message
    p.close(10)
    assert p.counts("twilio_30003") == (4, 1)


# -- 5 to 9: what is evidence --------------------------------------------------------------------


@pytest.mark.parametrize("failed", [1, 2, 3])
def test_trap_05_a_few_failures_of_a_small_series_are_no_outage(failed: int) -> None:
    p = Pipeline(TWILIO)
    for i in range(failed):
        p.read(callback(f"SM{i}", "undelivered", i, To=f"%2B1202555{i:04d}", **ABSENT))
    p.read(callback("SMok", "delivered", 5)).close(600)
    assert p.counts("twilio_30003") == (failed + 1, failed)
    assert p.incidents() == {}


def night(ratio_by_day: float, ratio_by_night: float) -> Callable[[int], float]:
    """Ratio by bucket: more phones are off from midnight to six (UTC)."""
    return lambda bucket: ratio_by_night if bucket * 10 % DAY_S < 6 * 3600 else ratio_by_day


def test_trap_06_phones_that_are_off_at_night_are_no_spike_and_as_many_by_day_are() -> None:
    usual = night(0.01, 0.03)
    week, alarms = watch(fresh(RULE, Policy()), 0, 3 * DAY, usual)
    assert not alarms
    _, alarms = watch(week, 3 * DAY, 4 * DAY, usual)
    assert not alarms
    noon = 3 * DAY + DAY // 2
    to_noon, _ = watch(week, 3 * DAY, noon, usual)
    assert watch(to_noon, noon, noon + 60, lambda _: 0.03)[1], "the same ratio at noon is a spike"


def test_trap_07_an_outage_of_half_a_day_is_not_learned_as_normal() -> None:
    state, _ = watch(fresh(RULE, Policy()), 0, DAY + DAY // 4, lambda _: 0.01)
    ends = DAY + 3 * DAY // 4
    state, alarms = watch(state, DAY + DAY // 4, ends, lambda _: 0.12)
    assert alarms
    state, _ = watch(state, ends, ends + DAY // 8, lambda _: 0.01)
    expected = float(state.learned.baseline.expected(Policy(), START_S + 10 * (ends + DAY // 8))[0])
    assert 0.009 < expected < 0.0111, "0.1 in log-odds"


def test_trap_08_an_app_that_retries_one_handset_is_one_handset() -> None:
    p = Pipeline(TWILIO)
    for i in range(200):
        p.read(callback(f"SM{i}", "undelivered", i / 10, To=f"%2B{NUMBER}", **ABSENT))
        p.read(callback(f"SMok{i}", "delivered", i / 10, To="%2B12025550199"))
    p.close(60)
    assert p.counts("twilio_30003") == (400, 200)
    assert p.evidence("twilio_30003")[1] == 1
    assert p.incidents() == {}


def test_trap_09_failures_are_told_apart_by_code_recipient_and_sender() -> None:
    p = Pipeline(TWILIO).read(
        callback("SM1", "undelivered", To=f"%2B{NUMBER}", From="campaign-a", **ABSENT),
        callback("SM2", "undelivered", To="%2B12025550199", From="campaign-a", **ABSENT),
        callback("SM3", "undelivered", To=f"%2B{NUMBER}", From="campaign-b", ErrorCode="30005"),
    )
    p.close(10)
    (cells,) = [c for c in p.cells if c.finals]
    by_code = {
        cells.keys[k].code: (n, cells.senders[i])
        for i, (k, n) in enumerate(zip(cells.key, cells.finals, strict=True))
    }
    assert by_code == {"30003": (2, {"campaign-a": 2}), "30005": (1, {"campaign-b": 1})}
    assert sum(cells.recipients_n) == 3


# -- 10 to 13: what is not a carrier's failure -----------------------------------------------------


@pytest.mark.parametrize(
    ("to", "region"),
    [
        ("%2B12025550123", "US"),
        ("whatsapp%3A%2B12025550123", "US"),
        ("rcs%3A%2B447700900123", "GB"),
        ("%2B18005550123", "US"),  # toll free
        ("88202", "unknown"),
        ("MYBRAND", "unknown"),
        ("client%3Asomebody", "unknown"),
        ("%2B", "unknown"),
        ("", "unknown"),
        ("%00%FF", "unknown"),
    ],
)
def test_trap_10_odd_addresses_are_counted_and_crash_nothing(to: str, region: str) -> None:
    p = Pipeline(TWILIO).read(callback("SM1", "undelivered", To=to, **ABSENT)).close(10)
    assert p.results == {"counted": 1}
    assert [k.region for k in p.counted] == [region]


@pytest.mark.parametrize("code", ["30001", "30024", "30036", "21610", "21611"])
def test_trap_11_own_faults_are_out_of_the_carriers_rate(code: str) -> None:
    p = Pipeline(TWILIO)
    for i in range(100):
        p.read(
            callback(f"SM{i}", "failed", i / 20, To=f"%2B1202555{i:04d}", carrier="310-260", ErrorCode=code)
        )
        p.read(callback(f"SMok{i}", "delivered", i / 20, carrier="310-260"))
    p.close(60)
    assert p.results == {"own_side": 100, "counted": 100}
    assert p.counts("twilio_30003") == (100, 0)
    assert p.incidents() == {}


def test_trap_12_sends_without_receipts_are_neither_health_nor_failure() -> None:
    p = Pipeline(TWILIO)
    p.read(*(callback(f"SM{i}", "sent", i / 100) for i in range(500)))
    p.read(callback("SMx", "delivery_unknown", 5)).close(60)
    assert p.results == {"in_flight": 501}
    assert sum(sum(c.sends) for c in p.cells) == 500
    assert p.counts("twilio_30003") == (0, 0)
    sliding = Sliding(p.book)
    for cells in p.cells:
        sliding.add(cells)
    sums, (sends, missing) = sliding.snapshot().sum(axis=1), sliding.sent
    assert (sums[:, sends] == 500).all() and (sums[:, missing] == 500).all()
    sums[:, [sends, missing]] = 0
    assert not sums.any(), "nothing is eligible, so no ratio is shown"


def test_trap_13_the_docs_say_what_delivered_is_worth() -> None:
    text = " ".join(Path("docs/formats.md").read_text().split())
    assert "it claims no handset" in text


# -- 14 to 18: what a record means -----------------------------------------------------------------


def test_trap_14_a_code_means_what_its_source_says() -> None:
    p = Pipeline(
        Source(name="smpp", format="smpp-receipt", codes="twilio-smpp"),
        Source(name="newer", format="smpp-receipt", codes="twilio-smpp-2025"),
    )
    p.read(receipt("1", "UNDELIV", "007"), receipt("2", "UNDELIV", "007", source="newer"))
    p.read(
        receipt("3", "UNDELIV", "7"), receipt("4", "UNDELIV", "0007"), receipt("5", "UNDELIV", "0a7")
    ).close(10)
    classes = {(k.source, k.code): k.outcome_class for k in p.counted}
    assert classes == {
        ("smpp", "007"): "absent_subscriber",
        ("newer", "007"): table("twilio-smpp-2025").rows[7].outcome_class,
        ("smpp", "0a7"): "unknown",
    }
    assert classes["newer", "007"] != "absent_subscriber"
    assert {"twilio", "twilio-smpp", "twilio-smpp-2025"} <= set(profiles())


@pytest.mark.parametrize("stat", ["ENROUTE", "ACCEPTD", "BUFFRED"])
def test_trap_15_an_absent_code_on_an_intermediate_receipt_is_no_final(stat: str) -> None:
    p = Pipeline(SMPP).read(receipt("1", stat, "001"), receipt("1", "DELIVRD", "000", 1)).close(10)
    assert {k.outcome_class: n for k, n in p.counted.items()} == {"delivered": 1}
    assert sum(sum(c.signals) for c in p.cells) == 1


@pytest.mark.parametrize("err", ["001", "002", "059", "999", "21b"])
def test_trap_16_delivered_with_an_error_code_is_delivered(err: str) -> None:
    p = Pipeline(SMPP).read(receipt("1", "DELIVRD", err)).close(10)
    assert p.counts("smpp_absent_subscriber") == (1, 0)
    assert [(k.outcome_class, k.code) for k in p.counted] == [("delivered", "")]


def test_trap_17_spellings_of_one_network_are_one_series_and_like_ids_are_two() -> None:
    spellings = ["310-260", "310260", "310 260", "310/260"]
    p = Pipeline(API)
    p.read(
        *(canonical(f"m{i}", carrier=c) for i, c in enumerate(spellings)),
        canonical("other", carrier="310-26"),
    )
    p.close(10)
    assert {k.carrier: n for k, n in p.counted.items()} == {"310-260": 4, "310-26": 1}


def test_trap_17_networks_and_names_of_one_brand_are_one_series() -> None:
    p = Pipeline(API)
    brand = ["310-260", "310-160", "T-Mobile USA, Inc.", "t-mobile us", "T-MOBILE USA"]
    p.read(*(canonical(f"m{i}", carrier=c, region="US") for i, c in enumerate(brand))).close(10)
    assert {k.carrier for k in p.counted} == {"310-260"}


def test_trap_18_the_senders_network_in_an_event_labels_nothing() -> None:
    p = Pipeline(Source(name="events", format="twilio-event-streams"))
    p.read(event("SM1", "UNDELIVERED", 30003, mcc="310", mnc="410", to=f"+{NUMBER}")).close(10)
    assert [(k.carrier, k.region) for k in p.counted] == [("unknown", "US")]


# -- 19 to 21: what people and topics see ----------------------------------------------------------


def test_trap_19_everything_at_once_is_one_incident_one_page_and_one_resolve() -> None:
    fault = Fault(604, 1200, 0.4)
    out = run(Network(3, names("c", 40), names("r", 3), 600, spread=0.5, faults=(fault,)), 2400)
    (incident,) = out.incidents.values()
    assert (incident.scope, incident.carrier, incident.region) == ("global", "all", "all")
    assert [t.what for t in out.transitions].count("opened") == 1
    (page,) = paging.pages(incident)
    assert (page.action, page.dedup_key) == ("resolve", incident.key)
    assert incident.key.endswith(str(incident.opened_bucket_s)), "the key is of event time alone"


@pytest.mark.parametrize(
    "carrier",
    [
        f"+{NUMBER}",
        f"carrier {NUMBER}",
        "x" * 5_000,
        "a\nb\x00c",
        '"} evil{',
        "=HYPERLINK()",
        "<script>",
        "№☃" * 90,
    ],
)
def test_trap_20_no_number_and_no_endless_text_becomes_a_label(carrier: str) -> None:
    p = Pipeline(API)
    p.read(
        canonical("m1", "undelivered", carrier=carrier, region=carrier, code=carrier, to=f"+{NUMBER}")
    ).close(10)
    (key,) = p.counted
    for label in (key.carrier, key.region, key.code):
        assert NUMBER not in label and len(label) <= 64 and (not label or label.isprintable())


def test_trap_21_no_number_leaves_ingest_but_as_a_keyed_hash() -> None:
    p = Pipeline(TWILIO, SMPP, API)
    p.read(
        callback("SM1", "undelivered", To=f"%2B{NUMBER}", **ABSENT),
        callback(
            "SM2",
            "undelivered",
            To=f"whatsapp%3A%2B{NUMBER}",
            carrier=NUMBER,
            region=f"%2B{NUMBER}",
            **ABSENT,
        ),
        canonical("m1", "undelivered", to=f"+{NUMBER}", carrier=NUMBER, code=NUMBER),
    ).close(10)
    assert p.intake.failed and p.results == {"counted": 3}
    assert NUMBER.encode() not in p.written()
    hashes = {f.recipient for f in p.intake.failed}
    assert len(hashes) == 1, "one handset, however its number is written"


# -- 22 to 26: what goes wrong around it -----------------------------------------------------------


def test_trap_22_a_signature_covers_every_parameter_and_the_public_url() -> None:
    url, form = "https://sms.example.org/v1/twilio/status?carrier=310-260", "MessageSid=SM1&BrandNew=x"
    token = b"12345"
    given = signature(token, url, fields_of(form))

    def holds(url: str, form: str, token: bytes = token) -> bool:
        base, target = url[: url.index("/v1")], url[url.index("/v1") :]
        return is_signed([token], given, base, target, fields_of(form))

    assert holds(url, form) and holds(url.replace(".org", ".org:443"), form)
    assert not holds(url, form + "&More=y") and not holds(url, form.replace("&BrandNew=x", ""))
    assert not holds(url.replace("310-260", "310-410"), form) and not holds(
        url.replace("https", "http"), form
    )
    assert not holds(url, form, b"another token")


def test_trap_23_a_providers_time_without_a_zone_is_no_time() -> None:
    p = Pipeline(TWILIO, SMPP)
    p.read(
        callback("SM1", "delivered", 12, RawDlrDoneDate="2601010000"), receipt("1", "DELIVRD", at_s=13)
    ).close(20)
    assert [c.bucket_s * 1000 - T0_MS for c in p.closed if c.cells.finals] == [10_000]
    assert all(not c.latency_n for c in p.cells)


def test_trap_23_a_latency_below_zero_is_counted_as_the_least() -> None:
    p = Pipeline(API).read(canonical("m1", sent_time_ms=T0_MS + 60_000)).close(10)
    (cells,) = [c for c in p.cells if c.finals]
    assert (cells.latency_bin, cells.latency_n) == ([0], [1])


def test_trap_24_poison_becomes_dead_letters_and_the_rest_is_counted() -> None:
    poison = [b"", b"\xff\xfe", b"{", b"[1]", b'{"message_id": 1}', b"x" * 2_000_000, b"{" * 10_000]
    p = Pipeline(API)
    for i, value in enumerate(poison):
        p.read(Said("api", value), canonical(f"m{i}"))
    p.close(10)
    assert p.results == {"malformed": len(poison), "counted": len(poison)}
    assert [d.value for d in p.intake.dead] == poison


def test_trap_26_words_for_people_speak_of_reachability_and_never_claim_an_outage() -> None:
    out = run(
        Network(3, names("c", 8), names("r", 3), 600, faults=(Fault(604, 1200, 0.4, carrier="c3"),)), 900
    )
    (incident,) = out.incidents.values()
    assert incident.severity is Severity.CRITICAL
    summary = paging.summary(incident)
    assert summary.startswith("Reachability anomaly")
    assert re.search(r"\d+ of \d+ failed, \d+ recipients", summary) and "normal is" in summary
    templates = "\n".join(p.read_text() for p in Path("alerts/pages/templates").glob("*.html"))
    assert "outage" not in (templates + inspect.getsource(paging)).lower()


# -- 25: restarts ----------------------------------------------------------------------------------


def test_trap_25_a_restart_in_the_middle_changes_no_window_and_no_incident() -> None:
    """Windows and detector are restored from what they wrote, in the middle of an incident."""
    network = Network(3, names("c", 4), names("r", 3), 60, faults=(Fault(604, 1200, 0.4, carrier="c1"),))
    buckets = list(network.buckets(2000))
    whole, restarted = begin(Policy(), (RULE,)), begin(Policy(), (RULE,))
    for i, (bucket_s, counts) in enumerate(buckets):
        whole, decided = decide_one(whole, bucket_s, counts)
        if i in (70, 90, 118):
            restarted = snapshot.restore(snapshot.snapshot(restarted))
        restarted, again = decide_one(restarted, bucket_s, counts)
        assert (again.flags, again.transitions) == (decided.flags, decided.transitions)
    assert [c.incident for c in restarted.cases] == [c.incident for c in whole.cases]


def test_trap_25_sliding_windows_are_full_again_after_a_restart() -> None:
    p = Pipeline(TWILIO)
    for i in range(200):
        p.read(callback(f"SM{i}", "delivered", i * 15)).flush()
    p.close(3_100)
    live, restored, assembler = Sliding(p.book), Sliding(p.book), Assembler()
    for closing in p.closed:
        live.add(closing.cells)
        for offset, part in enumerate(journal.parts(closing, "a")):
            complete = assembler.feed(offset, part)
            if complete is not None:
                restored.add(complete.cells)
    assert live.snapshot().any()
    assert (live.snapshot() == restored.snapshot()).all()


def test_every_trap_has_its_test() -> None:
    numbered = {int(name[len("test_trap_") :][:2]) for name in globals() if name.startswith("test_trap_")}
    assert numbered == set(range(1, 27))
