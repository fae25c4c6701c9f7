"""The smaller parts of model.yaml: the split, the tuning, the image."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ml_code.search_space import Frozen
from ml_code.spec.columns import Limit

MOST_JOBS = 750  # of a tuning job
MOST_ROUNDS = 20_000  # that Hyperband takes
Fraction = Annotated[float, Field(gt=0, lt=1)]


class ByColumn(Frozen):
    """All rows of a group are in one part; or the parts follow each other in time, the test part from `test_from` on."""

    group: str | None = None
    time: str | None = None
    test_from: Limit | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.group is None) == (self.time is None):
            raise ValueError("allowed: content, target, {group: column} or {time: column}")
        if self.test_from is not None and self.time is None:
            raise ValueError(f"test_from is {self.test_from}; allowed: beside time")
        return self

    @property
    def column(self) -> str:
        return self.group or self.time or ""


class Split(Frozen):
    train: Fraction
    validation: Fraction
    test: Fraction
    by: Literal["content", "target"] | ByColumn = "content"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the three parts add up to {total:g}; allowed: exactly 1")
        return self


class Tuning(Frozen):
    """The search: with Grid, `max_jobs` need not be given; `min_rounds` are of Hyperband."""

    strategy: Literal["Random", "Bayesian", "Grid", "Hyperband"]
    max_jobs: int | None = Field(default=None, ge=1, le=MOST_JOBS)
    max_parallel_jobs: int = Field(ge=1, le=100)
    early_stopping: bool = False
    min_rounds: int | None = Field(default=None, ge=1, le=MOST_ROUNDS)

    @property
    def stops_jobs(self) -> bool:
        """Whether the search stops jobs early, by the metric that they report while they learn."""
        return self.early_stopping or self.strategy == "Hyperband"

    @model_validator(mode="after")
    def _fits_the_strategy(self) -> Self:
        if self.strategy == "Hyperband" and self.early_stopping:
            raise ValueError(
                "early_stopping is true; allowed: with another strategy, as Hyperband stops jobs itself"
            )
        if self.strategy != "Hyperband" and self.min_rounds is not None:
            raise ValueError(f"min_rounds is {self.min_rounds}; allowed: with strategy Hyperband")
        if self.strategy != "Grid" and self.max_jobs is None:
            raise ValueError(
                f"max_jobs is missing; give it a number, such as 6, with strategy {self.strategy}"
            )
        return self

    @model_validator(mode="after")
    def _enough_jobs(self) -> Self:
        if self.max_jobs is not None and self.max_parallel_jobs > self.max_jobs:
            raise ValueError(
                f"max_parallel_jobs is {self.max_parallel_jobs}; allowed: at most max_jobs = {self.max_jobs}"
            )
        return self


class Image(Frozen):
    """The features are the pixels of an image, row by row: reports show it."""

    height: int = Field(ge=1)
    width: int = Field(ge=1)

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width
