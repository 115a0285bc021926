"""Provider records out of a stream of bytes, one after the other.

    bytes -> the items of a JSON array | one JSON object over several lines | a record a line

Memory holds two chunks and the largest record; only to tell the three apart are up to LOOK_AHEAD
bytes held, as no record that Kafka takes is larger.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from streams.topics import LARGE_BYTES

CHUNK = 1 << 20
LOOK_AHEAD = LARGE_BYTES

Read = Callable[[int], bytes]
"""At most so many bytes, b'' at the end."""

_MARK = codecs.BOM_UTF8

_SPACE = re.compile(r"[ \t\r\n]*")
# Only where a value ends is asked: numbers are not made, whatever their length.
_scan = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode


def records(read: Read, chunk: int = CHUNK, look_ahead: int = LOOK_AHEAD) -> Iterator[bytes]:
    """The records of one file, in order. Blank lines are none.

    A JSON array gives its items, a string among them its text. One above `look_ahead` is read as it
    comes: where it breaks off, what is left is read by line. Any other file that begins with `[` or
    `{` and is no array and no object is read by line.
    """
    source = _Source(_without_mark(read), chunk)
    first = source.first()
    if first == b"[" and not source.goes_on_after_a_line(look_ahead):
        if source.hold(look_ahead):
            yield from _array(source.head)
        else:
            yield from _large_array(source, look_ahead)
    elif first == b"{" and not source.begins_with_a_line(look_ahead) and source.is_json(look_ahead):
        yield source.head.strip()
    else:
        yield from _lines(source.chunks())


def _without_mark(read: Read) -> Read:
    """Reads the same without a byte order mark, which some editors put first and no record begins with."""
    begun = b""
    while len(begun) < len(_MARK) and (piece := read(len(_MARK) - len(begun))):
        begun += piece
    held = [begun.removeprefix(_MARK)]
    return lambda most: (held.pop() if held else b"") or read(most)


class _Source:
    """A stream of bytes whose beginning, `head`, can be looked at first."""

    def __init__(self, read: Read, chunk: int) -> None:
        self._read, self._chunk = read, chunk
        self.head = b""
        self._ended = False

    def first(self) -> bytes:
        """The first byte that is no blank; b'' when there is none."""
        while not (begun := self.head.lstrip()) and not self._ended:
            self.head = b""
            self._more()
        return begun[:1]

    def hold(self, most: int) -> bool:
        """Whether all of it is at most `most` bytes; then all is in `head`."""
        while not self._ended and len(self.head) <= most:
            self._more()
        return self._ended and len(self.head) <= most

    def is_json(self, most: int) -> bool:
        return self.hold(most) and _is_json(self.head)

    def begins_with_a_line(self, most: int) -> bool:
        """Whether the first line is JSON by itself."""
        line = self._first_line(most)
        return line is not None and _is_json(line)

    def goes_on_after_a_line(self, most: int) -> bool:
        """Whether the first line is JSON by itself and others follow."""
        line = self._first_line(most)
        if line is None or not _is_json(line):
            return False
        while not self.head.lstrip()[len(line) :].strip() and not self._ended:
            self._more()
        return bool(self.head.lstrip()[len(line) :].strip())

    def chunks(self) -> Iterator[bytes]:
        """All of it, from the beginning; once."""
        head, self.head = self.head, b""
        for start in range(0, len(head), self._chunk):
            yield head[start : start + self._chunk]
        del head
        while more := self._read(self._chunk):
            yield more

    def _first_line(self, most: int) -> bytes | None:
        """Without blanks around it; None when it is longer than `most`."""
        while True:
            begun = self.head.lstrip()
            line = begun.splitlines()[0] if begun else b""
            if len(line) < len(begun) or self._ended:
                return line.rstrip()
            if len(self.head) > most:
                return None
            self._more()

    def _more(self) -> None:
        """A piece as large as what is held, so that looking again and again stays linear."""
        piece = self._read(max(self._chunk, len(self.head)))
        self._ended = not piece
        self.head += piece


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    for chunk in chunks:
        parts.append(chunk)
        if b"\n" in chunk or b"\r" in chunk:
            lines = b"".join(parts).splitlines(keepends=True)
            parts = [lines.pop()]  # also where it is complete: a \n may follow its \r
            yield from _without_ends(lines)
    yield from _without_ends(b"".join(parts).splitlines())


def _without_ends(lines: list[bytes]) -> Iterator[bytes]:
    return (line.rstrip(b"\r\n") for line in lines if line.strip())


def _array(data: bytes) -> Iterator[bytes]:
    try:
        items = [_item(bytes(raw).strip()) for raw in msgspec.json.decode(data, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # A line that is no array is told by its decoder, like any other.
        return _without_ends(data.splitlines())
    return iter(items)


def _item(value: bytes) -> bytes:
    """An item of an array; a string is a receipt's text or a form."""
    return msgspec.json.decode(value, type=str).encode() if value[:1] == b'"' else value


def _large_array(source: _Source, look_ahead: int) -> Iterator[bytes]:
    """The items as they come, then what is left by line."""
    window = _Window(source.chunks(), look_ahead)
    while (item := window.item()) is not None:
        yield _text_or_value(item)
    yield from _lines(window.rest())


class _Window:
    """What is held of a JSON array: latin-1 text, in which each byte is a character."""

    def __init__(self, chunks: Iterator[bytes], most: int) -> None:
        self._chunks, self._most = chunks, most
        self._text, self._at = "", 0
        self._begun = self._closed = False

    def item(self) -> bytes | None:
        """The next item; None where the array ends or breaks off."""
        while not self._closed:
            found = self._scan()
            if found is not None:
                return found.encode("latin-1")
            if not self._grow():
                break
        return None

    def rest(self) -> Iterator[bytes]:
        """What follows the last item; all of it when there was none."""
        yield self._text[self._at if self._begun else 0 :].encode("latin-1")
        yield from self._chunks

    def _scan(self) -> str | None:
        """The next item if it is held whole, with what tells its end."""
        start = _after_space(self._text, self._at if self._begun else self._text.find("[") + 1)
        try:
            _, end = _scan(self._text, start)
        except (ValueError, RecursionError):
            return None
        after = _after_space(self._text, end)
        if self._text[after : after + 1] not in (",", "]"):
            return None
        self._begun, self._closed, self._at = True, self._text[after] == "]", after + 1
        return self._text[start:end]

    def _grow(self) -> bool:
        """Twice as much, so that trying again stays linear; whether there was more."""
        held = self._text[self._at :]
        if len(held) > self._most:
            return False
        pieces: list[bytes] = []
        while sum(map(len, pieces)) <= len(held) and (piece := next(self._chunks, b"")):
            pieces.append(piece)
        self._text, self._at = held + b"".join(pieces).decode("latin-1"), 0
        return bool(pieces)


def _after_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing too


def _text_or_value(value: bytes) -> bytes:
    try:
        return _item(value)
    except (msgspec.DecodeError, UnicodeError):
        return value


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
