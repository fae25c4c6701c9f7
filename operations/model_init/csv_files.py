"""A CSV file of which nothing is known: its encoding, its delimiter, its rows."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from charset_normalizer import from_bytes

from ml_code.raw_files import GZIP
from ml_code.table.columns import Dialect
from operations.errors import OperationError
from operations.model_init.raw_table import ColumnBuilder, RawTable, shown

_DELIMITERS = (",", ";", "\t", "|")
_WIDE_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_ASCII = bytes(range(128))
# Of Western and of Central Europe: of two that fit, the first.
_LATIN = ("cp1252", "cp1250")
_SNIFFED_ROWS = 1_000
_GUESSED_BYTES = 200_000
_CHUNK_ROWS = 10_000


def read_csv(path: Path) -> RawTable:
    """Raise OperationError that says in which line the file is no table."""
    body = _content(path)
    text, encoding, remark = _decode(body, path)
    if not text.strip():
        raise OperationError(f"{path} is empty; give a file with a header line and rows")
    if text.startswith("sep="):
        raise OperationError(
            f"The first line of {path} is {shown(text.splitlines()[0])!r}, which only Excel reads; take it away"
        )
    delimiter = _delimiter(text)
    builders = _read_rows(text, delimiter, path)
    dialect = Dialect(delimiter=delimiter, encoding=encoding)
    return RawTable([builder.column() for builder in builders], "csv", dialect, (remark,) if remark else ())


def _content(path: Path) -> bytes:
    try:
        body = path.read_bytes()
        return gzip.decompress(body) if body.startswith(GZIP) else body
    except OSError as error:
        raise OperationError(f"{path} cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error) as error:
        raise OperationError(f"{path} is damaged: {error}") from None


def _decode(body: bytes, path: Path) -> tuple[str, str, str]:
    """Text, encoding, and a remark about a guessed encoding."""
    wide = _WIDE_BOMS.get(body[:2])
    try:
        return body.decode(wide or "utf-8-sig"), wide or "utf-8", ""
    except UnicodeDecodeError as error:
        if wide:
            raise OperationError(f"{path} is not text in UTF-16 ({error.reason}); save it in UTF-8") from None
    _refuse_mixed_encodings(body, path)
    encoding = _guess_encoding(body)
    try:
        text = body.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise OperationError(
            f"{path} is text in no encoding that can be recognised; save it in UTF-8"
        ) from None
    return text, encoding, f"not UTF-8: read as {encoding}, a guess; look at letters such as ä and é"


def _refuse_mixed_encodings(body: bytes, path: Path) -> None:
    """Line by line: a byte order of UTF-8 that makes sense is hardly ever another encoding by chance."""
    good: list[int] = []
    bad: list[int] = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.isascii():
            (good if _is_utf8(line) else bad).append(number)
    if good and bad:
        raise OperationError(
            f"{path} mixes encodings: line {good[0]} is in UTF-8 and line {bad[0]} is not; save all of it in UTF-8"
        )


def _guess_encoding(body: bytes) -> str:
    """The Latin alphabet that makes most of the other characters letters, for words that are mostly ASCII; the library takes them for Asian."""
    words = [word for word in re.findall(rb"[A-Za-z\x80-\xff]+", body) if not word.isascii()]
    sample = b" ".join(words)[:_GUESSED_BYTES]
    others = len(sample.translate(None, _ASCII))
    if len(sample) - sample.count(b" ") > 2 * others:
        return max(_LATIN, key=lambda name: sum(map(str.isalpha, sample.decode(name, errors="ignore"))))
    guess = from_bytes(sample).best()
    return guess.encoding.replace("_", "-") if guess else ""


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(text: str) -> str:
    """The delimiter that splits most rows into as many cells as the header has, and at least two."""
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        try:
            rows = list(islice(_rows(text, delimiter), _SNIFFED_ROWS))
        except csv.Error:
            continue
        width = len(rows[0]) if rows else 0
        if width > 1:
            score = (sum(len(row) == width for row in rows) / len(rows), width)
            best, best_score = (delimiter, score) if score > best_score else (best, best_score)
    return best


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """The rows without the empty lines, which the jobs skip, too."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return (row for row in reader if row)


def _read_rows(text: str, delimiter: str, path: Path) -> list[ColumnBuilder]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(row for row in reader if row)
        builders = [ColumnBuilder(name.removeprefix("\ufeff").strip()) for name in header]
        while chunk := list(islice(reader, _CHUNK_ROWS)):
            rows = [row for row in chunk if row]
            wrong = next((row for row in rows if len(row) != len(header)), None)
            if wrong is not None:
                raise OperationError(
                    f"A row of {path} before line {reader.line_num + 1} has {len(wrong)} values and the header "
                    f"{len(header)}; it begins with {shown(wrong[0])!r}: mend it, with quotes around cells that "
                    f"have a {delimiter!r}"
                )
            for builder, cells in zip(builders, zip(*rows, strict=True), strict=bool(rows)):
                builder.add(cells)
    except csv.Error as error:
        raise OperationError(f"{path}, line {reader.line_num}: {error}") from None
    return builders
