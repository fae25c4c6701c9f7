"""Values of hyperparameters: those that are fixed, and those that a tuning job chooses from."""

import ast
import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    model_validator,
)


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _is_no_number(text: str) -> str:
    """Refuse text that means something else to Python: YAML writes it without quotes."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    try:
        written = json.dumps(value)
    except (TypeError, ValueError):
        return text
    raise ValueError(f"it is the text {text!r}; allowed: {written}, without quotes, or other text")


Text = Annotated[str, AfterValidator(_is_no_number)]
Scalar = StrictBool | StrictInt | StrictFloat | Text | None
Value = Scalar | tuple[Scalar, ...]
# Such as class_weight: {0: 1.0, 1: 5.0}.
FixedValue = Value | dict[StrictInt | str, Scalar]


class IntegerRange(Frozen):
    type: Literal["integer"]
    minimum: int
    maximum: int
    scale: Literal["linear", "logarithmic"] = "linear"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_range(self.minimum, self.maximum, self.scale)
        return self

    def samples(self) -> list[Value]:
        """The ends of the range, then its middle."""
        return [self.minimum, self.maximum, (self.minimum + self.maximum) // 2]

    def decode(self, value: Any) -> Value:
        return int(value)


class ContinuousRange(Frozen):
    type: Literal["continuous"]
    minimum: float
    maximum: float
    scale: Literal["linear", "logarithmic"] = "linear"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_range(self.minimum, self.maximum, self.scale)
        return self

    def samples(self) -> list[Value]:
        """The ends of the range, then its middle."""
        return [self.minimum, self.maximum, (self.minimum + self.maximum) / 2]

    def decode(self, value: Any) -> Value:
        return float(value)


class Choice(Frozen):
    type: Literal["categorical"]
    values: tuple[Value, ...] = Field(min_length=1, max_length=30)

    @property
    def texts(self) -> list[str]:
        """The choices of a tuning job: JSON, so that the values come back with their types."""
        return [json.dumps(value) for value in self.values]

    def samples(self) -> list[Value]:
        return list(self.values)

    def decode(self, value: Any) -> Value:
        return tuple(value) if isinstance(value, list) else value


SearchRange = Annotated[IntegerRange | ContinuousRange | Choice, Field(discriminator="type")]


def _check_range(minimum: float, maximum: float, scale: str) -> None:
    if minimum >= maximum:
        raise ValueError(f"minimum is {minimum:g}; allowed: less than maximum = {maximum:g}")
    if scale == "logarithmic" and minimum <= 0:
        raise ValueError(f"minimum is {minimum:g}; allowed with scale logarithmic: more than 0")
