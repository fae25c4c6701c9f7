"""model.yaml, typed: what is wrong in it is refused in one sentence."""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ml_code.schema import Column, Schema

MODELS = Path("models")
MODEL_YAML = "model.yaml"

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
SklearnPath = Annotated[str, Field(pattern=r"^sklearn(\.[A-Za-z_]\w*)+$")]
Metric = Literal["accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro", "log_loss"]
GateMetric = Literal["accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro"]
Scalar = bool | int | float | str | None
Fraction = Annotated[float, Field(gt=0, lt=1)]

_RANGE_TYPES = "'integer', 'continuous', 'categorical'"
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class SpecError(ValueError):
    """A wrong model.yaml, in one sentence: field, value, what is allowed."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnSpec(_Frozen):
    """One column, or with {0..7} in its name one for each number."""

    name: str = Field(min_length=1)
    type: Literal["number", "integer"]
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum is {self.minimum:g}; allowed: at most maximum = {self.maximum:g}")
        return self

    def columns(self) -> tuple[Column, ...]:
        return tuple(
            Column(name=name, type=self.type, minimum=self.minimum, maximum=self.maximum)
            for name in _expand(self.name)
        )


class IntegerRange(_Frozen):
    type: Literal["integer"]
    minimum: int
    maximum: int
    scale: Literal["linear", "logarithmic"] = "linear"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_range(self.minimum, self.maximum, self.scale)
        return self


class ContinuousRange(_Frozen):
    type: Literal["continuous"]
    minimum: float
    maximum: float
    scale: Literal["linear", "logarithmic"] = "linear"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_range(self.minimum, self.maximum, self.scale)
        return self


class Choice(_Frozen):
    type: Literal["categorical"]
    values: tuple[str, ...] = Field(min_length=1, max_length=30)


SearchRange = Annotated[IntegerRange | ContinuousRange | Choice, Field(discriminator="type")]


class Split(_Frozen):
    train: Fraction
    validation: Fraction
    test: Fraction

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the three parts add up to {total:g}; allowed: exactly 1")
        return self


class Tuning(_Frozen):
    strategy: Literal["Random"]
    max_jobs: int = Field(ge=1, le=750)
    max_parallel_jobs: int = Field(ge=1, le=100)

    @model_validator(mode="after")
    def _enough_jobs(self) -> Self:
        if self.max_parallel_jobs > self.max_jobs:
            raise ValueError(
                f"max_parallel_jobs is {self.max_parallel_jobs}; allowed: at most max_jobs = {self.max_jobs}"
            )
        return self


class Objective(_Frozen):
    metric: Metric
    direction: Literal["maximize", "minimize"]

    @model_validator(mode="after")
    def _right_way(self) -> Self:
        right = "minimize" if self.metric == "log_loss" else "maximize"
        if self.direction != right:
            raise ValueError(f"direction is {self.direction!r}; allowed: {right!r} for {self.metric}")
        return self

    @property
    def metric_name(self) -> str:
        """The metric of the validation part, as tuning jobs call it."""
        return f"validation:{self.metric}"

    def log_line(self, value: float) -> str:
        """What a training job prints, for the tuning job to read."""
        return f"{self.metric_name}={value:.6f}"

    @property
    def log_pattern(self) -> str:
        return f"{self.metric_name}=([0-9.]+)"


class Gate(_Frozen):
    """What a model must reach on the test part to be registered.

    `tolerance` is how far below the version in production it may be, on the same rows. `dry_run` measures
    and reports, `disabled` does not even compare; both let every model through.
    """

    metric: GateMetric
    threshold: float = Field(ge=0, le=1)
    tolerance: float = Field(default=0.01, ge=0, le=1)
    mode: Literal["enabled", "dry_run", "disabled"] = "enabled"

    @property
    def text(self) -> str:
        return f"{self.metric} >= {self.threshold:g} and at most {self.tolerance:g} below production"

    def reached(self, metrics: Mapping[str, float]) -> bool:
        return metrics[self.metric] >= self.threshold

    def passes(self, metrics: Mapping[str, float]) -> bool:
        """Whether a model that measures this may go on."""
        return self.mode != "enabled" or self.reached(metrics)


class ModelSpec(_Frozen):
    name: Name
    description: str = ""
    target: ColumnSpec
    features: tuple[ColumnSpec, ...] = Field(min_length=1)
    split: Split
    seed: int = Field(ge=0, lt=2**31)
    estimator: SklearnPath
    scaler: SklearnPath | None = None
    hyperparameters: dict[str, Scalar | tuple[Scalar, ...]] = {}
    search: dict[str, SearchRange] = Field(min_length=1, max_length=30)
    tuning: Tuning
    objective: Objective
    gate: Gate

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [column.name for spec in (*self.features, self.target) for column in spec.columns()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"column {twice[0]!r} is named twice; allowed: once, as a feature or as the target"
            )
        both = sorted(self.hyperparameters.keys() & self.search.keys())
        if both:
            raise ValueError(f"{both[0]!r} is in hyperparameters and in search; allowed: one of the two")
        return self

    def request_schema(self) -> Schema:
        """The columns of a request: the features."""
        return Schema(tuple(column for spec in self.features for column in spec.columns()))

    def training_schema(self) -> Schema:
        """The columns of the raw data: the features, then the target."""
        return Schema((*self.request_schema().columns, *self.target.columns()))


def find_model(project: Path = Path()) -> Path:
    """The folder of the project's model: the one below models/ that holds a model.yaml."""
    found = sorted(path.parent for path in (project / MODELS).glob(f"*/{MODEL_YAML}"))
    if len(found) != 1:
        names = ", ".join(folder.name for folder in found) or "none"
        raise SpecError(f"{MODELS}/*/{MODEL_YAML}: found {len(found)} ({names}); allowed: exactly one")
    return found[0]


def sample_data(project: Path = Path()) -> dict[str, Path]:
    """The CSV files of the model's data/, which trains the first version, by their path in there."""
    folder = find_model(project) / "data"
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.csv"))}


def load_spec(path: Path | None = None) -> ModelSpec:
    """The model.yaml at `path`, by default that of the project in the working directory."""
    path = path or find_model() / MODEL_YAML
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}") from error
    return parse_spec(text, source=path.name)


def parse_spec(text: str, *, source: str = "model.yaml") -> ModelSpec:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{source} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise SpecError(f"{source} holds {type(document).__name__}; allowed: a mapping of fields")
    try:
        return ModelSpec.model_validate(document)
    except ValidationError as error:
        raise SpecError(f"{source}: {_sentence(error)}") from None


def _sentence(error: ValidationError) -> str:
    """The first fault; the others show when it is mended."""
    fault: Any = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in fault["loc"])
    context = fault.get("ctx", {})
    if fault["type"] == "value_error":
        return f"{field}: {context['error']}" if field else str(context["error"])
    if fault["type"] == "extra_forbidden":
        return f"{field} = {fault['input']!r} is no field; allowed: {', '.join(_fields_beside(fault['loc']))}"
    if fault["type"] == "missing":
        return f"{field} is missing; give it a value"
    if fault["type"].startswith("union_tag_"):
        return (
            f"{field}.type is {context.get('tag')!r}; allowed: {context.get('expected_tags', _RANGE_TYPES)}"
        )
    if fault["type"] == "string_pattern_mismatch":
        return f"{field} is {fault['input']!r}; allowed: text like {context['pattern']}"
    allowed = fault["msg"].removeprefix("Input should be ")
    return f"{field} is {fault['input']!r}; allowed: {allowed}"


def _fields_beside(location: tuple[str | int, ...]) -> list[str]:
    models: dict[str | int, type[BaseModel]] = {
        "target": ColumnSpec,
        "features": ColumnSpec,
        "split": Split,
        "tuning": Tuning,
        "objective": Objective,
        "gate": Gate,
        "integer": IntegerRange,
        "continuous": ContinuousRange,
        "categorical": Choice,
    }
    parents = [models[part] for part in location[:-1] if part in models]
    return list((parents[-1] if parents else ModelSpec).model_fields)


def _expand(pattern: str) -> list[str]:
    """`p_{0..1}_{0..1}` as p_0_0, p_0_1, p_1_0, p_1_1."""
    ranges = [range(int(low), int(high) + 1) for low, high in _RANGE.findall(pattern)]
    template = _RANGE.sub("{}", pattern)
    return [template.format(*numbers) for numbers in itertools.product(*ranges)]


def _check_range(minimum: float, maximum: float, scale: str) -> None:
    if minimum >= maximum:
        raise ValueError(f"minimum is {minimum:g}; allowed: less than maximum = {maximum:g}")
    if scale == "logarithmic" and minimum <= 0:
        raise ValueError(f"minimum is {minimum:g}; allowed with scale logarithmic: more than 0")
