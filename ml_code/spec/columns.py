"""Columns as model.yaml has them, in the words of Table Schema and CSV Dialect (Frictionless)."""

import codecs
import itertools
import math
import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, StrictFloat, StrictInt, StrictStr, field_validator, model_validator

from ml_code.search_space import Frozen
from ml_code.table.cells import encoded_date
from ml_code.table.columns import (
    DATES,
    DEFAULT_FORMAT,
    FALSE_VALUES,
    NUMERIC,
    TRUE_VALUES,
    Column,
    Dialect,
)

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
MAX_COLUMNS = 10_000  # of one pattern: a slip such as {0..99999999} takes no memory
MAX_CATEGORIES = 1_000
_TYPES_WITH_ENUM = ("string", "integer")
# Of a number, or of a date, which YAML reads as one.
Limit = StrictInt | StrictFloat | Annotated[datetime, Strict()] | Annotated[date, Strict()]


class Constraints(Frozen):
    required: bool = False
    unique: bool = False
    minimum: Limit | None = None
    maximum: Limit | None = None
    enum: tuple[StrictInt | StrictStr, ...] = Field(default=(), max_length=MAX_CATEGORIES)
    pattern: str = ""

    @field_validator("enum")
    @classmethod
    def _distinct(cls, enum: tuple[int | str, ...]) -> tuple[int | str, ...]:
        twice = [value for index, value in enumerate(enum) if value in enum[:index]]
        if twice:
            raise ValueError(f"{twice[0]!r} is there twice; allowed: once")
        spaced = [value for value in enum if isinstance(value, str) and value != value.strip()]
        if spaced:
            raise ValueError(
                f"it has {spaced[0]!r}; allowed: no space at the ends, because cells are read without theirs"
            )
        return enum

    @field_validator("pattern")
    @classmethod
    def _regular(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"it is {pattern!r}; allowed: a regular expression ({error})") from None
        return pattern


class ColumnSpec(Frozen):
    """One column, or with {0..7} in its name one for each number."""

    name: str
    type: Literal["number", "integer", "string", "boolean", "date", "datetime"]
    format: str = DEFAULT_FORMAT
    trueValues: tuple[StrictStr, ...] = Field(default=TRUE_VALUES, min_length=1)
    falseValues: tuple[StrictStr, ...] = Field(default=FALSE_VALUES, min_length=1)
    constraints: Constraints = Constraints()

    @model_validator(mode="before")
    @classmethod
    def _constraints_in_their_place(cls, fields: Any) -> Any:
        if isinstance(fields, dict):
            for name in Constraints.model_fields:
                if name in fields:
                    raise ValueError(
                        f"{name} = {fields[name]!r} is no field of a column; give constraints: "
                        f"{{{name}: {fields[name]}}}"
                    )
        return fields

    @field_validator("name")
    @classmethod
    def _writable(cls, name: str) -> str:
        if not name:
            raise ValueError("it is empty; allowed: the name in the header line")
        if name != name.strip():
            raise ValueError(
                f"it is {name!r}; allowed: no space at its ends, as header lines are read without"
            )
        ranges = [(int(low), int(high)) for low, high in _RANGE.findall(name)]
        for low, high in ranges:
            if low > high:
                raise ValueError(f"it has the range {{{low}..{high}}}; allowed: the smaller number first")
        count = math.prod(high - low + 1 for low, high in ranges)
        if count > MAX_COLUMNS:
            raise ValueError(f"{name!r} stands for {count:,} columns; allowed: {MAX_COLUMNS:,}")
        return name

    @field_validator("format")
    @classmethod
    def _date_format(cls, pattern: str) -> str:
        if pattern != DEFAULT_FORMAT and "%" not in pattern:
            raise ValueError(f"it is {pattern!r}; allowed: default (ISO 8601), or a pattern such as %d.%m.%Y")
        return pattern

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        given, where = self.constraints, f"column {self.name!r}"
        if given.enum and self.type not in _TYPES_WITH_ENUM:
            raise ValueError(
                f"{where} is of type {self.type} and has an enum; allowed: with string and integer"
            )
        kind = str if self.type == "string" else int
        if wrong := [value for value in given.enum if not isinstance(value, kind)]:
            text = "text, in quotes where YAML would read something else" if kind is str else "whole numbers"
            raise ValueError(f"{where} has {wrong[0]!r} in its enum; allowed: {text}")
        if given.pattern and (self.type != "string" or given.enum):
            raise ValueError(f"{where} has a pattern; allowed: with type string, without enum")
        if self.format != DEFAULT_FORMAT and self.type not in DATES:
            raise ValueError(f"{where} has the format {self.format!r}; allowed: with type date and datetime")
        if self.type != "boolean" and (self.trueValues, self.falseValues) != (TRUE_VALUES, FALSE_VALUES):
            raise ValueError(f"{where} has trueValues or falseValues; allowed: with type boolean only")
        if both := set(self.trueValues) & set(self.falseValues):
            raise ValueError(f"{where} has {min(both)!r} in trueValues and in falseValues; allowed: in one")
        self._check_limits(where)
        return self

    def _check_limits(self, where: str) -> None:
        given = self.constraints
        for name, limit in (("minimum", given.minimum), ("maximum", given.maximum)):
            if limit is not None and self.type not in (*NUMERIC, *DATES):
                raise ValueError(
                    f"{where} is of type {self.type} and has a {name}; allowed: with numbers and dates"
                )
            if limit is not None and isinstance(limit, date) != (self.type in DATES):
                kind = "a date such as 2026-01-31" if self.type in DATES else "a number"
                raise ValueError(f"{where}: {name} is {limit}; allowed: {kind}")
        low, high = encoded_limit(given.minimum), encoded_limit(given.maximum)
        if low is not None and high is not None and low > high:
            raise ValueError(
                f"{where}: minimum is {given.minimum}; allowed: at most maximum = {given.maximum}"
            )

    @property
    def is_pattern(self) -> bool:
        return is_pattern(self.name)

    def columns(self) -> tuple[Column, ...]:
        given = self.constraints
        return tuple(
            Column(
                name=name,
                type=self.type,
                required=given.required,
                minimum=encoded_limit(given.minimum),
                maximum=encoded_limit(given.maximum),
                enum=given.enum,
                format=self.format,
                true_values=self.trueValues,
                false_values=self.falseValues,
                unique=given.unique,
                pattern=given.pattern,
            )
            for name in _expand(self.name)
        )


class Csv(Frozen):
    """The dialect of raw files and requests in CSV."""

    delimiter: str = Field(default=",", min_length=1, max_length=1)
    decimalChar: str = Field(default=".", min_length=1, max_length=1)
    groupChar: str = Field(default="", max_length=1)
    encoding: str = "utf-8"
    header: bool = True

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            raise ValueError(
                f"it is {encoding!r}; allowed: a name that Python knows, such as utf-8"
            ) from None

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.decimalChar == self.groupChar:
            raise ValueError(
                f"decimalChar and groupChar are both {self.groupChar!r}; allowed: two characters"
            )
        if self.delimiter in '"\r\n ':
            raise ValueError(f"delimiter is {self.delimiter!r}; allowed: a character such as , ; or a tab")
        return self

    @property
    def dialect(self) -> Dialect:
        return Dialect(
            delimiter=self.delimiter,
            decimal_char=self.decimalChar,
            group_char=self.groupChar,
            encoding=self.encoding,
            header=self.header,
        )


def is_pattern(name: str) -> bool:
    """Whether the name stands for several columns."""
    return _RANGE.search(name) is not None


def encoded_limit(limit: float | date | None) -> float | None:
    """The limit as values of its column are encoded."""
    if isinstance(limit, datetime):
        return encoded_date(limit)
    if isinstance(limit, date):
        return encoded_date(datetime(limit.year, limit.month, limit.day))
    return limit


def _expand(pattern: str) -> list[str]:
    """`p_{0..1}_{0..1}` as p_0_0, p_0_1, p_1_0, p_1_1."""
    texts = _RANGE.split(pattern)[::3]
    ranges = [range(int(low), int(high) + 1) for low, high in _RANGE.findall(pattern)]
    return [
        "".join(f"{text}{number}" for text, number in zip(texts, [*numbers, ""], strict=True))
        for numbers in itertools.product(*ranges)
    ]
