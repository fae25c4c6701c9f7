"""The objective of the tuning, and the gate of a model."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ml_code.search_space import Frozen
from ml_code.spec.metric_names import METRICS, Direction


class Measured(Frozen):
    """A metric by its name; `alpha` is the quantile of `pinball`."""

    metric: str
    alpha: float | None = Field(default=None, gt=0, lt=1)

    @field_validator("metric")
    @classmethod
    def _known(cls, metric: str) -> str:
        if metric not in METRICS:
            raise ValueError(f"it is {metric!r}; allowed: {', '.join(METRICS)}")
        return metric

    @model_validator(mode="after")
    def _quantile(self) -> Self:
        if self.alpha is None and self.metric == "pinball":
            raise ValueError("alpha is missing; pinball needs the quantile that is predicted, such as 0.5")
        if self.alpha is not None and self.metric != "pinball":
            raise ValueError(
                f"alpha is {self.alpha:g}, and the metric is {self.metric}; allowed: with pinball only"
            )
        return self

    @property
    def is_minimized(self) -> bool:
        return METRICS[self.metric].direction == "minimize"


class Objective(Measured):
    direction: Direction = "maximize"

    @model_validator(mode="before")
    @classmethod
    def _known_direction(cls, fields: Any) -> Any:
        """The metric has one: it need not be given."""
        if isinstance(fields, dict) and "direction" not in fields and fields.get("metric") in METRICS:
            return {**fields, "direction": METRICS[fields["metric"]].direction}
        return fields

    @model_validator(mode="after")
    def _right_way(self) -> Self:
        right = METRICS[self.metric].direction
        if self.direction != right:
            raise ValueError(f"direction is {self.direction!r}; allowed: {right!r} for {self.metric}")
        return self

    @property
    def metric_name(self) -> str:
        """The metric of the validation part, as tuning jobs call it."""
        return f"validation:{self.metric}"

    def log_line(self, value: float) -> str:
        """The line that a training job prints for the tuning job."""
        return f"{self.metric_name}={value:.9f}"

    @property
    def log_pattern(self) -> str:
        return f"{self.metric_name}=(-?[0-9.]+)"


class Gate(Measured):
    """The demands on a model, measured on the test part, before it is registered.

    `tolerance` is how much worse than the version in production it may be, on the same rows. `dry_run` measures
    and reports, `disabled` does not even compare; both let every model through.
    """

    threshold: float
    tolerance: float = Field(default=0.01, ge=0)
    mode: Literal["enabled", "dry_run", "disabled"] = "enabled"

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        kind = METRICS[self.metric]
        low, high = kind.lowest, kind.highest
        if (low is not None and self.threshold < low) or (high is not None and self.threshold > high):
            limits = [f"at least {low:g}"] * (low is not None) + [f"at most {high:g}"] * (high is not None)
            raise ValueError(
                f"threshold is {self.threshold:g}; allowed: {' and '.join(limits)} for {self.metric}"
            )
        return self

    @property
    def text(self) -> str:
        sign, side = ("<=", "above") if self.is_minimized else (">=", "below")
        return f"{self.metric} {sign} {self.threshold:g} and at most {self.tolerance:g} {side} production"

    def improvement(self, value: float, before: float) -> float:
        """The improvement in the direction of the metric; rounded, for 0.98 - 0.97 is not 0.01."""
        return round(before - value if self.is_minimized else value - before, 6)

    def reached(self, metrics: Mapping[str, float]) -> bool:
        value = metrics[self.metric]
        return value <= self.threshold if self.is_minimized else value >= self.threshold

    def passes(self, metrics: Mapping[str, float]) -> bool:
        """Whether a model with these measured values passes."""
        return self.mode != "enabled" or self.reached(metrics)
