"""What others wrote, made harmless for where it is shown: Markdown and spreadsheets. Pure.

HTML and SVG need nothing of this: their templates escape every value by themselves.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&!$])")
"""What begins markup within a line (CommonMark 0.31, 2.4; GitHub's tables, strikethrough and formulas)."""
_LINK = re.compile(r"(?i)(https?|ftp|mailto|xmpp|www)([:.])")
"""What GitHub makes a link of by itself."""
_LINE_START = re.compile(r"^(\d*)([-+=.)])")
"""What makes a list, a rule or a heading of a line."""
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What spreadsheets take for a formula, full width too (OWASP, CSV Injection)."""
_JOINER = "\u2060"
NARROW = "\u202f"


class Markdown(str):
    """Text that is markup already."""

    __slots__ = ()


def markdown(text: object) -> Markdown:
    """One line that shows as it is: no markup, link, mention, image, table cell or heading."""
    if isinstance(text, Markdown):
        return text
    line = _LINK.sub(rf"\1{_JOINER}\2", _one_line(str(text))).replace("@", f"@{_JOINER}")
    line = _SPECIAL.sub(r"\\\1", line)
    return Markdown(_LINE_START.sub(r"\1\\\2", line) if _begins_block(line) else line)


def _one_line(text: str) -> str:
    """Without control characters; all white space is a space but the one between the digits of a number."""
    shown = (c if c.isprintable() or c == NARROW else " " for c in text)
    return " ".join(filter(None, "".join(shown).split(" ")))


def _begins_block(line: str) -> bool:
    """`- x`, `1. x` and `===` do, `-3.1 %` and `2.1 %` do not."""
    mark = line.split(" ", 1)[0]
    return bool(re.fullmatch(r"[-+]|=+|-+|\d+[.)]", mark))


def code(text: object) -> Markdown:
    """A code span. Nothing ends it from within, nor the cell of a table."""
    line = _one_line(str(text).replace("`", "'"))
    return Markdown(f"`{line.replace('|', '¦') or ' '}`")


def csv_cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    line = _one_line(value)
    return f"'{line}" if line.startswith(_FORMULA) else line
