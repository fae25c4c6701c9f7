"""The smaller parts of model.yaml: the split, the tuning, the image."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ml_code.search_space import Frozen

Fraction = Annotated[float, Field(gt=0, lt=1)]


class ByColumn(Frozen):
    """All rows of a group are in one part; or the parts follow each other in time."""

    group: str | None = None
    time: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.group is None) == (self.time is None):
            raise ValueError("allowed: content, target, {group: column} or {time: column}")
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
    strategy: Literal["Random", "Bayesian"]
    max_jobs: int = Field(ge=1, le=750)
    max_parallel_jobs: int = Field(ge=1, le=100)

    @model_validator(mode="after")
    def _enough_jobs(self) -> Self:
        if self.max_parallel_jobs > self.max_jobs:
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
