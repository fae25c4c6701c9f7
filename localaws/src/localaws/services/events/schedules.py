"""EventBridge schedule expressions: rate(5 minutes), cron(0 3 ? * MON *). Pure functions; times are UTC."""

import re
from datetime import UTC, datetime, timedelta

from localaws.core.clock import REAL, Clock

_UNITS = {"minute": "minutes", "hour": "hours", "day": "days"}
_FIELDS = {
    "minutes": (0, 59, ()),
    "hours": (0, 23, ()),
    "day of month": (1, 31, ()),
    "month": (1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    "day of week": (1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
    "year": (1970, 2199, ()),
}


def is_due(expression: str, *, last: datetime, now: datetime, clock: Clock = REAL) -> bool:
    """Whether the schedule fires in the time after `last` and up to `now`, which is at most a minute or so.

    `last` is when it fired last, or since when it exists. A rate's minutes are those of `clock`; a cron's are real.
    """
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    if rate is not None:
        interval = timedelta(**{_UNITS[rate.group(2)]: int(rate.group(1))})
        return (now - last).total_seconds() >= clock.seconds(interval.total_seconds())
    cron = re.fullmatch(r"cron\((.*)\)", expression)
    if cron is None or len(cron.group(1).split()) != len(_FIELDS):
        raise ValueError(f"Expected rate(value unit) or cron(six fields), got {expression!r}")
    minute = now.replace(second=0, microsecond=0)
    if minute <= last:
        return False
    values = (minute.minute, minute.hour, minute.day, minute.month, minute.isoweekday() % 7 + 1, minute.year)
    fields = zip(_FIELDS, cron.group(1).split(), values, strict=True)
    # All fields are read, so that a wrong one is an error at any time.
    matching = [value in _allowed(name, text) for name, text, value in fields]
    return all(matching)


def at_time(expression: str) -> datetime | None:
    """The moment of a one-time schedule, at(2026-11-24T03:00:00); None for one that recurs."""
    moment = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", expression)
    return datetime.fromisoformat(moment.group(1)).replace(tzinfo=UTC) if moment else None


def _allowed(name: str, text: str) -> set[int]:
    first, last, names = _FIELDS[name]
    if text in ("*", "?"):
        return set(range(first, last + 1))
    allowed: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", part)
        if match is None or re.fullmatch(r"\d*[LW]", part):
            raise ValueError(
                f"The local AWS does not support {part!r} in the field {name} of a cron expression"
            )
        start, end, step = match.groups()
        low = first if start == "*" else _number(start, first, names)
        high = _number(end, first, names) if end else (last if start == "*" or step else low)
        allowed.update(range(low, high + 1, int(step or 1)))
    return allowed


def _number(text: str, first: int, names: tuple[str, ...]) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + first
    if not text.isdigit():
        raise ValueError(f"{text!r} is no value of a cron expression")
    return int(text)
