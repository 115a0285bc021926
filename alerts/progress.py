"""How far long work is, on stderr: one line that changes on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time

import click

EVERY_S = 5.0
_EVERY_ON_TERMINAL_S = 0.2


class StatusLine:
    """What is shown last is what is on the line; without a terminal every text is a line of its own."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self._open = False

    def show(self, text: str) -> None:
        click.echo(f"\r{text}\033[K" if self.terminal else text, err=True, nl=not self.terminal)
        self._open = self.terminal

    def clear(self) -> None:
        """Leaves the terminal with an empty line."""
        if self._open:
            click.echo("\r\033[K", err=True, nl=False)
        self._open = False


class Progress:
    """Shows rate and time left of one step after the other; nothing at all when `quiet`.

    `of` says how the total is meant: `of about` for an estimate.
    """

    def __init__(self, quiet: bool = False, of: str = "of") -> None:
        self._line = StatusLine()
        self._every_s = _EVERY_ON_TERMINAL_S if self._line.terminal else EVERY_S
        self._quiet, self._of = quiet, of
        self._what = ""

    def begin(self, what: str) -> None:
        self.finish()
        self._what, self._shown = what, time.monotonic()
        self._first: tuple[int, float] | None = None
        self._say(f"{what} ...")

    def update(self, done: int, total: int | None = None) -> None:
        """`total` is None where nobody knows it. The rate counts from the first sign of work: how long
        a start takes says nothing of it."""
        now = time.monotonic()
        if not done:
            return
        begun, at = self._first = self._first or (done, now)
        if now - self._shown < self._every_s or done == begun:
            return
        self._shown = now
        self._say(f"{self._what}: {self._words(done, total, (done - begun) / (now - at))}")

    def finish(self) -> None:
        """Leaves the terminal with a line of its own."""
        self._line.clear()
        self._what = ""

    def _words(self, done: int, total: int | None, rate: float) -> str:
        if total is None:
            return f"{done:,}, {rate:,.0f}/s"
        left_s = max(total - done, 0) / rate
        return f"{done:,} {self._of} {total:,}, {rate:,.0f}/s, {left_s:.0f} s left"

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._line.show(text)
