"""Times and lengths of time on the command line."""

from __future__ import annotations

import re

import click

from streams.decode.times import MAX_MS, epoch_ms

_SPAN = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class When(click.ParamType):
    """ISO 8601 or epoch milliseconds. Converts to epoch ms."""

    name = "T"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        ms = int(text) if text.isascii() and text.isdecimal() else epoch_ms(text)
        if ms is None or ms > MAX_MS:
            self.fail(f"'{text}' is neither ISO 8601 nor epoch ms", param, ctx)
        return ms


class Span(click.ParamType):
    """A length of time such as `90m`, `2h` or `3d`. Converts to ms."""

    name = "SPAN"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = _SPAN.fullmatch(str(value))
        if found is None or not int(found[1]):
            self.fail(f"'{value}' is no length of time such as 90m, 2h or 3d", param, ctx)
        return int(found[1]) * _UNIT_MS[found[2]]
