"""Code tables of the user's own: read, refused in words, looked at by rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams import settings
from streams.codes import CodeBook, family
from streams.errors import ConfigError
from streams.records import SeriesKey
from streams.rules import RuleBook
from streams.settings import CodeTable, Rule
from streams.source import Source

FILE = """class,code,description
absent_subscriber,0dc,Phone off
portability,058,"Ported, so they say"

unknown,UNDELIV/777,
"""


def written(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "codes.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def book(tmp_path: Path, text: str | bytes = FILE, extends: str = "twilio-smpp") -> CodeBook:
    return CodeBook([CodeTable(name="mine", file=written(tmp_path, text), extends=extends)])


def test_a_table_extends_and_overrides_its_parent(tmp_path: Path) -> None:
    mine = book(tmp_path).table("mine")
    found = {c: row.outcome_class for c in ("0dc", "58", "001") if (row := mine.lookup(c))}
    assert found == {"0dc": "absent_subscriber", "58": "portability", "001": "absent_subscriber"}
    assert len(mine.rows) == 65 + 2


def test_what_a_row_leaves_out_is_filled_in(tmp_path: Path) -> None:
    row = book(tmp_path).table("mine").lookup("0dc")
    assert row is not None
    assert row[1:] == ("0dc", "absent_subscriber", "unknown", "handset", "Phone off", "own")


def test_a_table_may_stand_alone(tmp_path: Path) -> None:
    assert len(book(tmp_path, extends="").table("mine").rows) == 3


def test_a_table_may_extend_one_before_it(tmp_path: Path) -> None:
    first = CodeTable(name="first", file=written(tmp_path, FILE), extends="map")
    (tmp_path / "more.csv").write_text("code,class\n0DC,policy\n")
    second = CodeTable(name="second", file=str(tmp_path / "more.csv"), extends="first")
    row = CodeBook([first, second]).table("second").lookup("0dc")
    assert row is not None and row.outcome_class == "policy"
    assert family("second", [first, second]) == {"second", "first", "map"}


def test_every_column_is_read_with_a_mark_of_byte_order_or_without(tmp_path: Path) -> None:
    text = "code,name,class,permanence,side,description\n 7 ,seven,route,permanent,own,Why\n"
    for raw in (text.encode(), b"\xef\xbb\xbf" + text.encode()):
        (row,) = book(tmp_path, raw, extends="").table("mine").rows
        assert row == ("7", "seven", "route", "permanent", "own", "Why", "own")


@pytest.mark.parametrize(
    "text, words",
    [
        ("code,class\n1,absent\n", "line 2: class = 'absent': must be one of delivered_or_none, absent_"),
        ("code,class\n1,\n", "line 2: class = '': must be one of"),
        ("code,class\n1\n", "line 2: class = '': must be one of"),
        ("code,meaning\n1,route\n", "line 1: the column 'class' is missing; columns are code, class, name"),
        ("", "line 1: the column 'code' is missing"),
        ("code;class\n1;route\n", "line 1: the column 'code' is missing"),
        ("code,class,permanance\n", "line 1: the column 'permanance' is not known"),
        ("code,class,code\n", "line 1: the column 'code' is there twice"),
        ("code,class\n1,route\n\n1,policy\n", "line 4: the code '1' is in line 2 too"),
        ("code,class\n,route\n", "line 2: code = '': must have 1 to 48 characters"),
        ("code,class\n12025550123,route\n", "line 2: code = '12025550123': must have"),
        (f"code,class\n{'a' * 49},route\n", "must have 1 to 48 characters"),
        ("code,class,side\n1,route,phone\n", "line 2: side = 'phone': must be one of handset, carrier"),
        ("code,class,permanence\n1,route,never\n", "line 2: permanence = 'never': must be one of perma"),
        ("code,class\n1,route,more\n", "line 2: 3 cells, 2 columns"),
        ('code,class\n1,"route\n', "line 2: unexpected end of data"),
        (b"code,class\n\xff,route\n", "is not UTF-8: byte 11"),
    ],
)
def test_a_malformed_file_is_refused_with_file_and_line(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        book(tmp_path, text)
    assert "codes.csv" in str(refused.value) and words in str(refused.value)


@pytest.mark.parametrize(
    "table, words",
    [
        (CodeTable(name="mine", file="/nowhere/x.csv"), "the code table /nowhere/x.csv can not be read: No"),
        (CodeTable(name="twilio", file="x"), "the name 'twilio' is that of a built-in profile"),
        (CodeTable(name="", file="x"), "the name '' is empty or used twice"),
        (CodeTable(name="mine", file="x", extends="mine"), "'mine' extends 'mine': no such profile before"),
        (
            CodeTable(name="mine", file="x", extends="gone"),
            "extends 'gone': no such profile before it; there",
        ),
    ],
)
def test_a_table_that_can_not_be_is_refused(table: CodeTable, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        CodeBook([table])
    assert words in str(refused.value)


def test_a_name_is_used_once(tmp_path: Path) -> None:
    table = CodeTable(name="mine", file=written(tmp_path, FILE))
    with pytest.raises(ConfigError, match="the name 'mine' is empty or used twice"):
        CodeBook([table, table])


def test_a_profile_that_nobody_has_is_refused_with_the_users_own_among_the_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="codes = 'x': no such code profile; there are mine, twilio"):
        book(tmp_path).table("x")


def test_a_source_reads_by_the_users_table(tmp_path: Path) -> None:
    config = settings.Source(name="east", format="smpp-receipt", codes="mine")
    of = Source.of(config, book(tmp_path))
    told = [of.kind("UNDELIV", code, None, None).key[3:] for code in ("0DC", "777", "007", "00f")]
    assert told == [
        ("absent_subscriber", "0dc"),
        ("unknown", "UNDELIV/777"),
        ("absent_subscriber", "007"),
        ("unknown", "00f"),
    ]
    with pytest.raises(ConfigError, match="source 'east': codes = 'mine'"):
        Source.of(config)


def test_a_rule_looks_at_tables_that_extend_its_profile() -> None:
    tables = [
        CodeTable(name="mine", file="not read", extends="twilio-smpp"),
        CodeTable(name="alone", file="not read"),
    ]
    sources = [settings.Source(name=n, format="smpp-receipt", codes=n) for n in ("mine", "alone", "map")]
    rule = Rule(name="r", profiles=("twilio-smpp",), classes=("absent_subscriber",))
    rules = RuleBook.of([rule], sources, tables)
    keys = [SeriesKey(n, "c", "US", "absent_subscriber", "1") for n in ("mine", "alone", "map", "gone")]
    assert [rules.failing(rule, key) for key in keys] == [True, False, False, False]
    by_child = Rule(name="c", profiles=("mine",), codes=("1",))
    assert [rules.eligible(by_child, key) for key in keys] == [True, False, False, False]
