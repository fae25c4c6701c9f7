"""The text of a file of raw data: blocks of whole lines, and single ones."""

import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from ml_code.raw_files import MOST_BYTES, RawFileError, Readable, open_utf8

BLOCK_BYTES = 1 << 22
MAX_LINE_BYTES = 1 << 26
# A last \r may be half of an end.
_LINE_END = re.compile(rb"\n|\r\n|\r(?=[^\n])")


class Lines:
    """The lines of a text, one by one or many at once; a line ends as Python's csv takes it, also by a carriage return alone."""

    def __init__(self, text: Readable) -> None:
        self.taken_bytes = 0
        self._text = text
        self._buffer = b""
        self._at = 0
        self._returned: deque[bytes | bytearray] = deque()

    def many(self) -> bytearray:
        """About BLOCK_BYTES of whole lines; nothing at the end."""
        found = bytearray(self._buffer[self._at :])
        self._buffer, self._at = b"", 0
        while len(longer := self._longer(found)) > len(found):
            found = longer
            if end := found.rfind(b"\n") + 1 or found.rfind(b"\r", 0, -1) + 1:
                self._buffer = bytes(found[end:])
                del found[end:]
                break
            _check_line(found)
        self.taken_bytes += len(found)
        return found

    def _longer(self, start: bytearray) -> bytearray:
        """Return `start` and what follows it, which is copied only once."""
        if self._returned:
            return start + self._returned.popleft()
        size = max(BLOCK_BYTES - len(start) % BLOCK_BYTES, MOST_BYTES)  # room for one character at least
        found = bytearray(len(start) + size)
        found[: len(start)] = start
        with memoryview(found) as memory, memory[len(start) :] as room:
            count = self._text.readinto(room)
        del found[len(start) + count :]
        return found

    def put_back(self, blocks: Sequence[bytes | bytearray]) -> None:
        """Take back what `many` returned last."""
        rest = self._buffer[self._at :]
        self._returned.extendleft(reversed([*blocks, rest] if rest else [*blocks]))
        self._buffer, self._at = b"", 0
        self.taken_bytes -= sum(map(len, blocks))

    def take_again(self, blocks: Sequence[bytes | bytearray]) -> None:
        """Take what was put back last, if nothing of it was read."""
        for block in blocks:
            self._returned.popleft()
            self.taken_bytes += len(block)

    def one(self) -> str:
        """The next line; nothing at the end."""
        while (found := _LINE_END.search(self._buffer, self._at)) is None:
            rest = self._buffer[self._at :]
            more = bytes(self._returned.popleft() if self._returned else self._text.read(BLOCK_BYTES))
            self._buffer, self._at = rest + more, 0
            if not more:
                break
            _check_line(self._buffer)
        start, self._at = self._at, found.end() if found else len(self._buffer)
        self.taken_bytes += self._at - start
        return self._buffer[start : self._at].decode()


def count_lines(path: Path, encoding: str, byte_count: int) -> int:
    """The lines in the first bytes of a text, as Python's csv counts them."""
    found, last = 0, b""
    with open_utf8(path, encoding) as text:
        while byte_count > 0 and (piece := text.read(min(BLOCK_BYTES, byte_count))):
            piece = piece[:byte_count]  # of characters more may be read
            found += piece.count(b"\n") + piece.count(b"\r") - (last + piece).count(b"\r\n")
            last, byte_count = piece[-1:], byte_count - len(piece)
    return found


def _check_line(start: bytes | bytearray) -> None:
    if len(start) > MAX_LINE_BYTES and b"\n" not in start and b"\r" not in start:
        raise RawFileError(f"a line has more than {MAX_LINE_BYTES:,} bytes; is it CSV, with ends of lines?")
