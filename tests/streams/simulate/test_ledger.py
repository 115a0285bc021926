"""The ledger judges by itself: it shares no code with the product."""

import ast
import csv
from pathlib import Path

import msgspec
import pytest

import streams
from streams.simulate import ledger as ledger_module
from streams.simulate.ledger import CLASSES, OWN_SIDE, Ledger, fate, series_of
from streams.simulate.scenario import load
from streams.simulate.traffic import new_ledger, records
from streams.simulate.truth import SMPP, Kind, Leaf, Truth, Verdict

START_MS = 1_800_000_000_000
PACKAGE = Path(streams.__file__).parent

LEAF = Leaf("smpp-east", SMPP, "twilio-smpp", "234-10", "US-CA", "US", True, True)
DELIVERED = Truth(
    at_ms=START_MS,
    received_ms=START_MS,
    message_id="1",
    leaf=LEAF,
    verdict=Verdict("delivered", "000"),
    kind=Kind.MESSAGE,
    repeat=False,
    as_text=False,
    recipient=12125550100,
    sender=12025550100,
    sent_ms=START_MS - 2_000,
    provider_ms=START_MS - 100,
)


def but(**changes: object) -> Truth:
    return msgspec.structs.replace(DELIVERED, **changes)


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


@pytest.mark.parametrize("name", ["ledger", "runs", "truth"])
def test_the_ledger_imports_no_product_code(name: str) -> None:
    ours = {
        m for m in imports_of(PACKAGE / "simulate" / f"{name}.py") if m.split(".")[0] in ("streams", "alerts")
    }
    assert all(m.startswith(("streams.simulate.truth", "streams.simulate.runs")) for m in ours)


def test_no_product_code_imports_the_ledger() -> None:
    files = [p for root in (PACKAGE, PACKAGE.parent / "alerts") for p in root.rglob("*.py")]
    product = [
        p for p in files if "simulate" not in p.parts and "demo" not in p.parts and p.stem != "simulate"
    ]
    assert product
    assert [p for p in product if any(m.startswith("streams.simulate.ledger") for m in imports_of(p))] == []


@pytest.mark.parametrize(("profile", "file"), [("twilio", "twilio.csv"), ("twilio-smpp", "twilio-smpp.csv")])
def test_the_ledgers_classes_are_those_of_the_published_tables(profile: str, file: str) -> None:
    path = PACKAGE / "codes" / file
    rows = {row["code"]: row for row in csv.DictReader(path.open(encoding="utf-8"))}
    published = {
        code: rows[code]["class"].replace("delivered_or_none", "unknown") for code in CLASSES[profile]
    }
    assert published == CLASSES[profile]
    own = {code for code in CLASSES[profile] if rows[code]["side"] == "own"}
    assert own == {code for p, code in OWN_SIDE if p == profile}


@pytest.mark.parametrize(
    ("truth", "result"),
    [
        (but(), "counted"),
        (but(kind=Kind.LATE), "late"),
        (but(kind=Kind.EMPTY, repeat=True), "malformed"),
        (but(kind=Kind.INBOUND), "inbound"),
        (but(repeat=True, verdict=Verdict("in_flight", "000")), "duplicate"),
        (but(kind=Kind.CONFLICT), "conflict"),
        (but(verdict=Verdict("undelivered", "058")), "own_side"),
        (but(verdict=Verdict("cancelled", "000")), "own_side"),
        (but(verdict=Verdict("delivered", "058")), "counted"),
        (but(verdict=Verdict("in_flight", "000")), "in_flight"),
        (but(verdict=Verdict("unknown", "000")), "in_flight"),
    ],
)
def test_the_first_result_that_fits_is_the_one(truth: Truth, result: str) -> None:
    assert fate(truth) == result


def test_a_record_without_labels_tells_the_country_and_no_carrier() -> None:
    plain = msgspec.structs.replace(LEAF, carrier_label=False, region_label=False)
    assert series_of(but(leaf=plain))[1:3] == ("unknown", "US")


def test_a_bare_receipt_tells_neither_carrier_nor_region_nor_recipient() -> None:
    bare = but(as_text=True, verdict=Verdict("undelivered", "001"))
    assert series_of(bare) == ("smpp-east", "unknown", "unknown", "absent_subscriber", "001")
    ledger = Ledger()
    ledger.note(bare)
    assert ledger.distinct_failed() == {}


def test_a_failed_recipient_is_counted_once() -> None:
    ledger = Ledger()
    for _ in range(3):
        ledger.note(but(verdict=Verdict("undelivered", "001")))
    assert ledger.distinct_failed() == {("234-10", "US-CA", "absent_subscriber"): 1}
    assert sum(ledger.by_series().values()) == 3


def test_garbage_of_no_known_source_stands_under_unknown() -> None:
    ledger = Ledger()
    ledger.note(but(kind=Kind.UNKNOWN_SOURCE))
    assert ledger.results == {("unknown", "malformed"): 1}


def test_buckets_are_ten_seconds_of_receipt_time() -> None:
    ledger = Ledger()
    for received_ms in (START_MS, START_MS + 9_999, START_MS + 10_000):
        ledger.note(but(received_ms=received_ms))
    assert [n for _, n in sorted((key[3], n) for key, n in ledger.by_series().items())] == [2, 1]
    assert ledger_module.BUCKET_MS == 10_000


def test_the_ledger_comes_back_from_json_as_it_was() -> None:
    scenario = msgspec.structs.replace(load("soak"), duration_s=30, rate=100.0)
    ledger = new_ledger(scenario, START_MS)
    for _ in records(scenario, None, START_MS, ledger):
        pass
    back = Ledger.from_json(ledger.to_json())
    assert back.to_json() == ledger.to_json()
    assert (back.counts, back.results, back.failed) == (ledger.counts, ledger.results, ledger.failed)
    assert back.incidents == ledger.incidents
