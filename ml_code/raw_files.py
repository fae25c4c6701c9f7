"""Raw data files by their names: the same for the data bucket, for a job's folder and for the sample in git.

Data are `.csv`, `.csv.gz` and `.parquet` in any case, and files without an extension, as Athena's UNLOAD and Spark write
them (with `.gz` when compressed). Whether a file is compressed, and whether it is Parquet, its first bytes tell.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TextIO

# The first bytes of a file.
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
MOST_BYTES = 4  # of a character in UTF-8
_SHOWN_NAMES = 5
ALLOWED = ".csv, .csv.gz, .parquet, or no extension"


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def readinto(self, buffer: memoryview, /) -> int: ...


class Digest(Protocol):
    """One of hashlib."""

    def update(self, data: bytes | memoryview, /) -> None: ...


class RawFileError(ValueError):
    """Files that are no data, in one sentence."""


@dataclass(frozen=True)
class RawFiles:
    data: list[str]
    left_out: list[str]
    """Files that Hive, Spark and Athena take for hidden: `_SUCCESS`, `.ipynb_checkpoints/rows-checkpoint.csv`."""

    @property
    def remark(self) -> str:
        """A line for the log, or nothing."""
        return f"left out, as names that begin with . or _ are no data: {some(self.left_out)}"


def select(names: Iterable[str]) -> RawFiles:
    """Sort data from hidden files; names of folders are empty or end with /. RawFileError names what is neither."""
    files = sorted(name for name in names if name and not name.endswith("/"))
    hidden = [name for name in files if _is_hidden(name)]
    shown = [name for name in files if not _is_hidden(name)]
    unreadable = [name for name in shown if not _is_data(name)]
    if unreadable:
        raise RawFileError(
            f"{some(unreadable)} cannot be read as raw data; allowed: {ALLOWED}. Convert them, or take them away"
        )
    return RawFiles(shown, hidden)


def files_below(folder: Path) -> RawFiles:
    return select(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def is_parquet(path: Path) -> bool:
    with path.open("rb") as raw:
        return raw.read(len(PARQUET)) == PARQUET


class _HashedFile(io.FileIO):
    """A file that is read from its start to its end."""

    def __init__(self, path: Path, digest: Digest) -> None:
        super().__init__(path)
        self._digest = digest

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer) or 0
        self._digest.update(memoryview(buffer)[:count])
        return count


@contextmanager
def open_utf8(path: Path, encoding: str = "utf-8", digest: Digest | None = None) -> Iterator[Readable]:
    """The text as bytes of UTF-8, uncompressed and without a byte order mark.

    RawFileError, also while it is read, when the file is no text in the encoding or its compression is damaged. UTF-8 is
    not checked here: decode it within the block. `digest` has the bytes of the file when all of the text is read.
    """
    try:
        with io.BufferedReader(_HashedFile(path, digest) if digest else io.FileIO(path)) as raw:
            is_compressed = raw.peek(len(GZIP)).startswith(GZIP)
            plain = gzip.GzipFile(fileobj=raw) if is_compressed else raw
            if encoding != "utf-8":
                with io.TextIOWrapper(plain, encoding=encoding, newline="") as text:
                    yield _Recoded(text)
                return
            if plain.peek(len(codecs.BOM_UTF8)).startswith(codecs.BOM_UTF8):
                plain.read(len(codecs.BOM_UTF8))
            yield plain
    except UnicodeError as error:
        name, reason = encoding.upper(), getattr(error, "reason", error)
        raise RawFileError(
            f"it is not text in {name} ({reason}): save it as CSV in {name}, or give csv.encoding in model.yaml"
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RawFileError(f"it is damaged: {error}") from None


class _Recoded:
    def __init__(self, text: TextIO) -> None:
        self._text = text

    def read(self, size: int, /) -> bytes:
        return self._text.read(size).encode()

    def readinto(self, buffer: memoryview, /) -> int:
        found = self._text.read(len(buffer) // MOST_BYTES).encode()
        buffer[: len(found)] = found
        return len(found)


def some(names: Sequence[Any]) -> str:
    """The first few names, quoted: a key in S3 may have any character, and must not end the line of a log."""
    hidden = len(names) - _SHOWN_NAMES
    return ", ".join(map(repr, names[:_SHOWN_NAMES])) + (f" and {hidden} more" if hidden > 0 else "")


def _is_hidden(name: str) -> bool:
    # Hadoop's mark of a folder ends with the last.
    return any(part[0] in "._" for part in PurePosixPath(name).parts) or name.endswith("_$folder$")


def _is_data(name: str) -> bool:
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    if suffixes[-1:] == [".parquet"]:
        return True
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return suffixes[-1:] in ([], [".csv"])
