"""The table of networks: whole in itself, and kind to spellings without ever merging two carriers."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConfigError
from streams.networks import Networks, built_in, networks_of
from streams.networks.names import LIKE_A_NUMBER, key
from streams.networks.rows import COLUMNS, NETWORK, Row, shipped
from streams.networks.table import SLIP_LENGTH
from streams.records import UNKNOWN

TABLE = built_in()
ROWS = shipped()
BY_ID = {row.id: row for row in ROWS}
NAMES = {(row.country, name): row for row in ROWS for name in (row.brand, row.operator, *row.aliases) if name}


# -- the table itself --------------------------------------------------------------------------


def test_no_network_is_there_twice() -> None:
    assert [id_ for id_, n in Counter(row.id for row in ROWS).items() if n > 1] == []


def test_codes_are_text_of_the_right_length() -> None:
    for row in ROWS:
        assert not row.mcc or NETWORK.fullmatch(row.id), row
        assert row.country and row.brand and row.operator, row


def test_every_roll_up_leads_to_a_row_that_is_its_own_main_of_the_same_brand() -> None:
    for row in (r for r in ROWS if r.mcc and r.main):
        main = BY_ID[row.main]
        assert (main.main, main.brand, main.country) == ("", row.brand, row.country), row


def test_no_name_of_a_country_means_two_carriers() -> None:
    meant: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in ROWS:
        for name in filter(None, (row.brand, row.operator, *row.aliases)):
            meant[row.country, key(name)].add(row.main or row.id)
    assert {k: v for k, v in meant.items() if len(v) > 1} == {}


def test_names_of_one_country_are_too_far_apart_for_one_slip_of_the_keyboard() -> None:
    for (country, name), row in NAMES.items():
        assert TABLE.id_of(name, country) == (row.main or row.id), (country, name)


@pytest.mark.parametrize(
    "brand, main, others",
    [
        ("T-Mobile US", "310-260", ["310-160", "310-200", "310-210", "310-490", "310-120", "312-530"]),
        ("AT&T", "310-410", ["310-030", "310-150", "310-280", "310-380", "310-950", "311-180"]),
        ("Verizon", "311-480", ["310-012", "310-590", "311-110", "311-289", "311-481", "311-489"]),
        ("Jio", "405-874", ["405-840", "405-854", "405-873"]),
        ("Airtel", "404-10", ["404-02", "404-45", "405-51"]),
    ],
)
def test_one_brand_is_one_series(brand: str, main: str, others: list[str]) -> None:
    assert BY_ID[main].brand == brand
    assert {TABLE.id_of(id_) for id_ in others} == {main}
    assert [built_in(roll_up=False).id_of(id_) for id_ in others] == others


# -- ids ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, carrier",
    [
        ("310-260", "310-260"),
        ("310260", "310-260"),
        ("310 260", "310-260"),
        ("310:260", "310-260"),
        ("31026", "310-26"),
        ("310-26", "310-26"),
        ("23410", "234-10"),
        ("234-010", "234-10"),
        ("405-025", "405-025"),
        ("338-050", "338-05"),
        ("310-999", "310-999"),
        ("001-01", "001-01"),
        ("999-01", "999-01"),
        ("", UNKNOWN),
        (None, UNKNOWN),
        ("unknown", UNKNOWN),
        ("  ", UNKNOWN),
        ("+15550000001", UNKNOWN),
        ("Carrier 15550000001", UNKNOWN),
    ],
)
def test_ids(text: str | None, carrier: str) -> None:
    assert TABLE.id_of(text) == carrier


def test_310_26_is_not_310_260() -> None:
    assert TABLE.id_of("310-26") != TABLE.id_of("310-260")
    assert TABLE.display("310-26") == "310-26 (unknown)"


@given(st.from_regex(r"[2-79][0-9]{2}", fullmatch=True), st.from_regex(r"[1-9][0-9]{1,2}", fullmatch=True))
def test_joined_digits_split_as_written_ones(mcc: str, mnc: str) -> None:
    assert TABLE.id_of(mcc + mnc) == TABLE.id_of(f"{mcc}-{mnc}") == TABLE.id_of(f" {mcc} {mnc} ")


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, country, carrier",
    [
        ("T-Mobile USA, Inc.", "", "310-260"),
        ("T-Mobile USA, Inc.", "US", "310-260"),
        ("t mobile usa inc", "", "310-260"),
        ("T-Mobile", "US", "310-260"),
        ("T-Mobile", "PL", "260-02"),
        ("T-Mobile", "", "t-mobile"),
        ("T-Mobile UK", "US", "234-30"),
        ("Verizon Wireless", "", "311-480"),
        ("VERIZON", "US", "311-480"),
        ("AT&T Wireless", "", "310-410"),
        ("AT and T Wireless", "", "310-410"),
        ("AT&T", "US", "310-410"),
        ("AT&T", "MX", "334-050"),
        ("AT&T", "", "at-t"),
        ("Verizon Wireless:6006 - SVR/2", "US", "311-480"),
        ("T-Mobile US-SVR-10X/2", "US", "310-260"),
        ("Bandwidth/13 - Bandwidth.com - SVR", "US", "313-981"),
        ("Google (Grand Central) BWI - Bandwidth.com - SVR", "US", "google-voice"),
        ("Twilio - Toll-Free - SMS-Sybase365/MMS-SVR", "US", "twilio"),
        ("Some Telephone Company/2 - SVR", "US", "some-telephone-company"),
        ("Vodafone", "DE", "262-02"),
        ("Vodafone", "", "vodafone"),
        ("Vodafone", "US", "vodafone"),
        ("Türk Telekom", "TR", "286-03"),
        ("TURK TELEKOM", "TR", "286-03"),
        ("LG U+", "KR", "450-06"),
        ("Claro", "BR", "724-05"),
        ("Claro", "", "claro"),
        ("Ice", "", "ice"),
    ],
)
def test_names_as_records_and_lookup_write_them(name: str, country: str, carrier: str) -> None:
    assert TABLE.id_of(name, country) == carrier


@pytest.mark.parametrize(
    "name, country, carrier",
    [
        ("Verizonn Wireless", "US", "311-480"),
        ("Verizn Wireless", "US", "311-480"),
        ("Verizno Wireless", "US", "311-480"),
        ("Grameenphome", "BD", "grameenphome"),
        ("Verizonn Wireless", "", "verizonn-wireless"),
        ("Telecel", "MX", "telecel"),
        ("T-Mobile UK2", "US", "t-mobile-uk2"),
    ],
)
def test_a_slip_is_mended_where_it_can_mean_but_one_carrier(name: str, country: str, carrier: str) -> None:
    assert TABLE.id_of(name, country) == carrier


@given(st.sampled_from(sorted(NAMES)), st.data())
def test_a_slip_never_makes_another_carrier_of_a_name(named: tuple[str, str], data: st.DataObject) -> None:
    country, name = named
    i = data.draw(st.integers(0, len(name) - 1))
    slipped = data.draw(
        st.sampled_from([name[:i] + name[i + 1 :], name[:i] + name[i] + name[i:], name.lower(), f" {name} "])
    )
    means = NAMES[named].main or NAMES[named].id
    found = TABLE.id_of(slipped, country)
    others = {
        other.main or other.id for (c, n), other in NAMES.items() if c == country and key(n) == key(slipped)
    }
    assert (
        found == means or not NETWORK.fullmatch(found) or found in others or found.replace("-", "").isdigit()
    )
    if len(key(slipped)) > SLIP_LENGTH:
        assert found == means or found not in BY_ID or found in others


@given(
    st.text() | st.from_regex(r"[A-Z]{2} ?Mobile[ .,&+]{1,3}(Inc|SVR|/13)?"),
    st.sampled_from(["", "US", "DE", "ZZ"]),
)
def test_any_text_makes_a_short_printable_label_without_a_number(text: str, country: str) -> None:
    carrier = TABLE.id_of(text, country)
    assert carrier and len(carrier) <= 64 and carrier.isprintable()
    assert not LIKE_A_NUMBER.search(carrier)
    assert TABLE.id_of(carrier) == carrier or not NETWORK.fullmatch(carrier)


@pytest.mark.parametrize(
    "carrier, shown",
    [
        ("310-260", "T-Mobile US (310-260)"),
        ("311-480", "Verizon (311-480)"),
        ("262-02", "Vodafone DE (262-02)"),
        ("310-999", "310-999 (unknown)"),
        ("google-voice", "Google Voice"),
        ("some-telephone-company", "some-telephone-company"),
        ("unknown", "unknown"),
        ("all", "all"),
    ],
)
def test_people_read_a_name_beside_the_id(carrier: str, shown: str) -> None:
    assert TABLE.display(carrier) == shown


# -- a user's own table ------------------------------------------------------------------------


def own(tmp_path: Path, *lines: str, head: str = ",".join(COLUMNS)) -> Networks:
    path = tmp_path / "carriers.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return networks_of(str(path))


def test_a_users_rows_and_names_win(tmp_path: Path) -> None:
    table = own(tmp_path, "310,999,US,East Wireless,,,Eastern", ",,US,Cricket,,cricket,Cricket Wireless")
    assert table.display("310-999") == "East Wireless (310-999)"
    assert table.id_of("Eastern") == "310-999"
    assert table.id_of("Cricket Wireless", "US") == table.id_of("Cricket Wireless") == "cricket"
    assert TABLE.id_of("Cricket Wireless") == "310-410"
    assert table.id_of("310-160") == "310-260"


def test_a_user_may_take_a_network_out_of_its_brand_or_put_one_in(tmp_path: Path) -> None:
    table = own(tmp_path, "310,120,US,Sprint,,,Sprint PCS", "310,999,US,T-Mobile US,,310-260,")
    assert table.id_of("310-120") == table.id_of("Sprint PCS") == "310-120"
    assert table.id_of("310-999") == "310-260"


def test_a_user_file_may_have_few_columns_in_any_order(tmp_path: Path) -> None:
    assert own(tmp_path, "Östlich,999,262", head="brand,mnc,mcc").display("262-999") == "Östlich (262-999)"


@pytest.mark.parametrize(
    "lines, words",
    [
        (["mcc,mnc"], "the first line must name the columns mcc, mnc"),
        (["mcc,mnc,brand,colour"], "the first line must name the columns"),
        ([""], "the first line must name the columns"),
        (["mcc,mnc,brand", "31,260,X"], "line 2: mcc = '31': must be three digits"),
        (["mcc,mnc,brand", "310,2,X"], "line 2: mnc = '2': must be two or three digits"),
        (["mcc,mnc,brand", "310,,X"], "line 2: mcc and mnc, or neither and an id in main"),
        (["mcc,mnc,brand", "310,260,"], "line 2: brand must be printable text"),
        (["mcc,mnc,brand", "310,260,X,Y"], "line 2: as many fields as columns"),
        (["mcc,mnc,brand", "310,260"], "line 2: as many fields as columns"),
        (["mcc,mnc,brand", "310,260,X", "310,260,Y"], "line 3: 310-260 is there twice"),
        (["mcc,mnc,brand,country", "310,260,X,usa"], "line 2: country = 'usa'"),
        (["mcc,mnc,brand,main", "310,260,X,No Slug"], "line 2: main = 'No Slug'"),
        (["mcc,mnc,brand,main", "310,260,X,310-998"], "310-260 rolls up to 310-998, which has no row"),
        (["mcc,mnc,brand,main", "310,260,X,310-160"], "goes round in a circle"),
    ],
)
def test_a_malformed_file_is_refused_in_words(tmp_path: Path, lines: list[str], words: str) -> None:
    path = tmp_path / "carriers.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        networks_of(str(path))
    assert f"carriers.file = '{path}'" in str(refused.value) and words in str(refused.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"can not be read: No such file"):
        networks_of(str(tmp_path / "none.csv"))
    (tmp_path / "bad.csv").write_bytes(b"mcc,mnc,brand\n310,260,\xff\n")
    with pytest.raises(ConfigError, match="must be UTF-8 text"):
        networks_of(str(tmp_path / "bad.csv"))


def test_the_shipped_file_is_sorted_and_plain() -> None:
    path = Path(__file__).parents[2] / "streams/networks/networks.csv"
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    assert tuple(rows[0]) == COLUMNS
    networks = [row[:2] for row in rows[1:] if row[0]]
    assert networks == sorted(networks)
    assert Row(*rows[1][:6], ()).mcc == rows[1][0]
