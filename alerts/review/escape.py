"""What others wrote, made harmless for where it is shown: Markdown and spreadsheets. Pure.

HTML and SVG need nothing of this: their templates escape every value by themselves.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&!$])")
"""What begins markup within a line (CommonMark 0.31, 2.4; GitHub's tables, strikethrough and formulas)."""
_LINK = re.compile(r"(?i)(https?|ftp|mailto|xmpp|www)([:.])")
"""What GitHub makes a link of by itself."""
_LINE_START = re.compile(r"^(\s*)([-+=>]|\d+[.)])")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What spreadsheets take for a formula, full width too (OWASP, CSV Injection)."""
_JOINER = "\u2060"


class Markdown(str):
    """Text that is markup already."""

    __slots__ = ()


def markdown(text: object) -> Markdown:
    """One line that shows as it is: no markup, link, mention, image, table cell or heading."""
    if isinstance(text, Markdown):
        return text
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    line = _LINK.sub(rf"\1{_JOINER}\2", line).replace("@", f"@{_JOINER}")
    return Markdown(_LINE_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", line)))


def code(text: object) -> Markdown:
    """A code span. Nothing ends it from within, nor the cell of a table."""
    line = " ".join(str(text).replace("`", "'").split())
    return Markdown(f"`{line.replace('|', '¦') or ' '}`")


def csv_cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    line = " ".join(value.split())
    return f"'{line}" if line.startswith(_FORMULA) else line
