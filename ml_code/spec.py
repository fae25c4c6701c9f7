"""model.yaml, typed: what is wrong in it is refused in one sentence."""

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from ml_code.contracts import Argument
from ml_code.raw_files import RawFileError, files_below
from ml_code.schema import Column, Schema
from ml_code.search_space import Choice, ContinuousRange, FixedValue, Frozen, IntegerRange, SearchRange
from ml_code.yaml_text import YamlError, parse_yaml

MODELS = Path("models")
MODEL_YAML = "model.yaml"

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
SklearnPath = Annotated[str, Field(pattern=r"^sklearn(\.[A-Za-z_]\w*)+$")]
Metric = Literal["accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro", "log_loss"]
GateMetric = Literal["accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro"]
Fraction = Annotated[float, Field(gt=0, lt=1)]

_RANGE_TYPES = "'integer', 'continuous', 'categorical'"
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_VALUES = "a number, text, true, false, null, a list of these, or a mapping to these"
MAX_COLUMNS = 10_000  # of one pattern: a slip such as {0..99999999} takes no memory
# Hyperparameters of a training job beside those that are searched.
RESERVED = tuple(
    name.replace("-", "_") for name in (Argument.EXECUTION_ARN, Argument.COMMIT, Argument.TRIGGER_REASON)
)
RESERVED_PREFIXES = ("sagemaker_", "_tuning_")


class SpecError(ValueError):
    """A wrong model.yaml, in one sentence: field, value, what is allowed."""


class ColumnSpec(Frozen):
    """One column, or with {0..7} in its name one for each number."""

    name: str = Field(min_length=1)
    type: Literal["number", "integer"]
    minimum: float | None = None
    maximum: float | None = None

    @field_validator("name")
    @classmethod
    def _writable(cls, name: str) -> str:
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


class Split(Frozen):
    train: Fraction
    validation: Fraction
    test: Fraction

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the three parts add up to {total:g}; allowed: exactly 1")
        return self


class Tuning(Frozen):
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


class Objective(Frozen):
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


class Gate(Frozen):
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


class ModelSpec(Frozen):
    name: Name
    description: str = ""
    target: ColumnSpec
    features: tuple[ColumnSpec, ...] = Field(min_length=1)
    split: Split
    seed: int = Field(ge=0, lt=2**31)
    estimator: SklearnPath
    scaler: SklearnPath | None = None
    hyperparameters: dict[str, FixedValue] = Field(default={})
    search: dict[str, SearchRange] = Field(min_length=1, max_length=30)
    tuning: Tuning
    objective: Objective
    gate: Gate

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [column.name for spec in (*self.features, self.target) for column in spec.columns()]
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise ValueError(
                f"column {twice[0]!r} is named twice; allowed: once, as a feature or as the target"
            )
        both = sorted(self.hyperparameters.keys() & self.search.keys())
        if both:
            raise ValueError(f"{both[0]!r} is in hyperparameters and in search; allowed: one of the two")
        odd = [name for name in (*self.hyperparameters, *self.search) if not name.isidentifier()]
        if odd:
            raise ValueError(f"{odd[0]!r} is no name of a hyperparameter; in YAML a list is written [64, 32]")
        reserved = [name for name in self.search if name in RESERVED or name.startswith(RESERVED_PREFIXES)]
        if reserved:
            raise ValueError(f"search.{reserved[0]} has a name that training jobs use; allowed: another name")
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
    """The files of the model's data/, which train the first version, by their path in there."""
    folder = find_model(project) / "data"
    try:
        return {name: folder / name for name in files_below(folder).data}
    except RawFileError as error:
        raise SpecError(f"{folder}: {error}") from None


def load_spec(path: Path | None = None) -> ModelSpec:
    """The model.yaml at `path`, by default that of the project in the working directory."""
    path = path or find_model() / MODEL_YAML
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not text in UTF-8 ({error.reason}): save it in UTF-8") from error
    return parse_spec(text, source=path.name)


def parse_spec(text: str, *, source: str = "model.yaml") -> ModelSpec:
    try:
        document = parse_yaml(text)
    except YamlError as error:
        raise SpecError(f"{source} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise SpecError(f"{source} holds {type(document).__name__}; allowed: a mapping of fields")
    try:
        return ModelSpec.model_validate(document)
    except ValidationError as error:
        raise SpecError(f"{source}: {_sentence(error)}") from None


def _sentence(error: ValidationError) -> str:
    """The first fault; the others show when it is mended."""
    faults: list[Any] = error.errors(include_url=False)
    fault, location = faults[0], _value_location(faults[0]["loc"])
    is_value = location != fault["loc"]
    if is_value:  # of the types that were tried, ours says what is wrong
        fault = next((each for each in faults if each["type"] == "value_error"), fault)
    field, context = ".".join(str(part) for part in location), fault.get("ctx", {})
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
    allowed = _VALUES if is_value else fault["msg"].removeprefix("Input should be ")
    return f"{field} is {fault['input']!r}; allowed: {allowed}"


def _value_location(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Of a hyperparameter's value, without the types that were tried for it; any other as it is."""
    if location[:1] == ("hyperparameters",):
        return location[:2]
    return location[: location.index("values") + 2] if "values" in location else location


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
    texts = _RANGE.split(pattern)[::3]
    ranges = [range(int(low), int(high) + 1) for low, high in _RANGE.findall(pattern)]
    return [
        "".join(f"{text}{number}" for text, number in zip(texts, [*numbers, ""], strict=True))
        for numbers in itertools.product(*ranges)
    ]
