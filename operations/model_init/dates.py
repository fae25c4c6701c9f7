"""The format of a column of dates, as Table Schema writes it: `default` for ISO 8601, else a pattern of strptime."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from ml_code.table.cells import readers
from ml_code.table.columns import DEFAULT_FORMAT, Column, Schema

_DAYS_FIRST = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%y", "%d/%m/%y")
_MONTHS_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y")
_OTHERS = ("%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y")
_TIMES = (" %H:%M:%S", " %H:%M", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S.%f")
_COMPACT = "%Y%m%d"
_FIRST_YEAR, _LAST_YEAR = 1900, 2100
# Fewer numbers of eight digits may be dates by chance.
_LEAST_COMPACT = 5
_TRIED_TEXTS = 300
_MIXED_TEXTS = 50
_SEVERAL = 0.95


def date_format(texts: Sequence[str], *, day_first: bool) -> tuple[str, str] | None:
    """Type and format that all of the distinct texts have."""
    tried = texts[:: max(1, len(texts) // _TRIED_TEXTS)]
    return next(
        (way for way in _ways(texts[0], day_first=day_first) if _fits(way, tried) and _fits(way, texts)), None
    )


def are_dates_in_several_formats(texts: Sequence[str]) -> bool:
    tried = texts[:: max(1, len(texts) // _MIXED_TEXTS)]
    are_dates = [any(_fits(way, [text]) for way in _ways(text, day_first=True)) for text in tried]
    return len(tried) > 1 and sum(are_dates) >= _SEVERAL * len(tried)


def is_day_or_month_unclear(texts: Sequence[str], pattern: str) -> bool:
    """Whether the same texts are dates with day and month the other way round."""
    swapped = pattern.replace("%d", "%%").replace("%m", "%d").replace("%%", "%m")
    is_numeric = "%d" in pattern and "%m" in pattern and not pattern.startswith("%Y")
    return is_numeric and _fits(("date", swapped), texts)


def _ways(text: str, *, day_first: bool) -> list[tuple[str, str]]:
    """The formats that have the text's separators."""
    if not any(map(str.isdigit, text)):
        return []
    if text.isdigit():
        return [("date", _COMPACT)]
    separators = _separators(text)
    ordered = (*_DAYS_FIRST, *_MONTHS_FIRST) if day_first else (*_MONTHS_FIRST, *_DAYS_FIRST)
    days = (*ordered, *_OTHERS)
    ways = [("date", day) for day in days] + [("datetime", f"{day}{time}") for day in days for time in _TIMES]
    iso = [("date", DEFAULT_FORMAT), ("datetime", DEFAULT_FORMAT)]
    return iso + [way for way in ways if _separators(way[1].replace("%", "")) == separators]


def _separators(text: str) -> str:
    return "".join(character for character in text if not character.isalnum())


def _fits(way: tuple[str, str], texts: Sequence[str]) -> bool:
    kind, pattern = way
    if pattern == _COMPACT and (len(texts) < _LEAST_COMPACT or not all(map(_is_compact, texts))):
        return False
    (reader,) = readers(Schema((Column(name="", type=kind, format=pattern),), missing_values=("",)))
    if np.isinf(reader.text(texts[0])):  # in most cases the first says it
        return False
    return bool(np.isfinite(reader.texts(texts)).all())


def _is_compact(text: str) -> bool:
    try:
        moment = datetime.strptime(text, _COMPACT)
    except ValueError:
        return False
    return len(text) == len("20260131") and _FIRST_YEAR <= moment.year <= _LAST_YEAR
