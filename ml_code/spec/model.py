"""The whole of model.yaml."""

import re
from collections import Counter
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from ml_code.contracts import MODEL_NAME_PATTERN, Argument
from ml_code.estimators.libraries import LIBRARIES
from ml_code.search_space import FixedValue, Frozen, SearchRange
from ml_code.spec.columns import ColumnSpec, Csv
from ml_code.spec.gate import Gate, Measured, Objective
from ml_code.spec.metric_names import (
    BINARY,
    CLASSIFICATION,
    METRICS,
    REGRESSION,
    THRESHOLD_METRICS,
    names_for,
)
from ml_code.spec.sections import ByColumn, Image, Split, Tuning
from ml_code.spec.tuning_rules import can_report, check_tuning, grid_size, most_rounds
from ml_code.table.columns import DATES, NUMERIC, Schema

Name = Annotated[str, Field(pattern=rf"^{MODEL_NAME_PATTERN}$")]
SklearnPath = Annotated[str, Field(pattern=r"^sklearn(\.[A-Za-z_]\w*)+$")]
_PATH = re.compile(r"([A-Za-z_]\w*)(\.[A-Za-z_]\w*)+")


def _of_a_library(path: str) -> str:
    found = _PATH.fullmatch(path)
    if found is None or found[1] not in LIBRARIES:
        raise ValueError(
            f"it is {path!r}; allowed: the import path of an estimator of {', '.join(LIBRARIES)}"
        )
    return path


EstimatorPath = Annotated[
    str,
    AfterValidator(_of_a_library),
    Field(json_schema_extra={"pattern": rf"^({'|'.join(LIBRARIES)})(\.[A-Za-z_]\w*)+$"}),
]
ClassLabel = StrictBool | StrictInt | StrictStr
MAX_CLASSES = 1_000
# Hyperparameters of a training job beside those that are searched.
RESERVED = tuple(
    name.replace("-", "_") for name in (Argument.EXECUTION_ARN, Argument.COMMIT, Argument.TRIGGER_REASON)
)
RESERVED_PREFIXES = ("sagemaker_", "_tuning_")


class ModelSpec(Frozen):
    name: Name
    description: str = ""
    task: Literal["classification", "regression"] | None = None
    csv: Csv = Csv()
    missingValues: tuple[StrictStr, ...] = ("",)
    target: ColumnSpec
    features: tuple[ColumnSpec, ...] = Field(min_length=1)
    ignored: tuple[str | ColumnSpec, ...] = ()
    unknown_categories: Literal["error", "unknown"] = "error"
    image: Image | None = None
    split: Split
    seed: int = Field(ge=0, lt=2**31)
    estimator: EstimatorPath
    scaler: SklearnPath | None = None
    class_weight: Literal["balanced"] | dict[ClassLabel, StrictFloat | StrictInt] | None = None
    decision_threshold: float | str | None = None
    hyperparameters: dict[str, FixedValue] = Field(default={})
    search: dict[str, SearchRange] = Field(min_length=1, max_length=30)
    tuning: Tuning
    objective: Objective
    gate: Gate
    factory: dict[str, Any] = Field(default={})
    retire: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_names()
        self._check_columns()
        self._check_task()
        self._check_hyperparameters()
        check_tuning(self.tuning, self.estimator, self.hyperparameters, self.search)
        return self

    def _check_names(self) -> None:
        ignored = [column.name for column in self.ignored_columns()]
        names = [column.name for column in (*self.request_schema().columns, *self.target.columns())]
        twice = sorted(
            name for name, count in Counter([*names, *ignored, *self.ignored_names]).items() if count > 1
        )
        if twice:
            raise ValueError(
                f"column {twice[0]!r} is named twice; allowed: once, as a feature, as the target or as ignored"
            )
        by = self.split.by
        if isinstance(by, ByColumn) and by.column not in (*names, *ignored):
            raise ValueError(
                f"split.by names the column {by.column!r}; allowed: a feature, or a column below ignored with a type"
            )
        if isinstance(by, ByColumn) and by.time:
            kinds = {column.name: column.type for column in self.file_schema().columns}
            if kinds[by.time] == "string" or kinds[by.time] == "boolean":
                raise ValueError(
                    f"split.by.time is {by.time!r}, of type {kinds[by.time]}; allowed: a date or number"
                )
            if by.test_from is not None and isinstance(by.test_from, date) != (kinds[by.time] in DATES):
                kind = "a date such as 2026-01-31" if kinds[by.time] in DATES else "a number"
                raise ValueError(f"split.by.test_from is {by.test_from}; allowed: {kind}, as {by.time!r} has")
        if not self.csv.header and self.ignored:
            raise ValueError(
                "csv.header is false and there are ignored columns; allowed: files with exactly the features and the target"
            )

    def _check_columns(self) -> None:
        for column in self.features:
            if column.type == "string" and not column.constraints.enum:
                raise ValueError(
                    f"feature {column.name!r} has type string; add constraints: {{enum: [its categories]}}"
                )
        if self.target.type in ("date", "datetime"):
            raise ValueError(
                f"target is of type {self.target.type}; allowed: number, integer, string, boolean"
            )
        if self.target.type == "string" and len(self.target.constraints.enum) < 2:
            raise ValueError("target has type string; add constraints: {enum: [two or more classes]}")
        if len(self.target.columns()) != 1:
            raise ValueError(f"target is {self.target.name!r}; allowed: one column")
        if self.image and len(self.request_schema().columns) != self.image.height * self.image.width:
            raise ValueError(
                f"image has {self.image.height} x {self.image.width} pixels, and there are "
                f"{len(self.request_schema().columns)} features; allowed: a feature for each pixel"
            )

    def _check_task(self) -> None:
        if self.task == REGRESSION and self.target.type not in NUMERIC:
            raise ValueError(
                f"task is regression and target is of type {self.target.type}; allowed: a number"
            )
        if self.is_classification and len(self.classes) < 2:
            raise ValueError(
                "target has no classes; allowed: boolean, enum, integer with minimum and maximum, or task: regression"
            )
        if len(self.classes) > MAX_CLASSES:
            raise ValueError(f"target has {len(self.classes):,} classes; allowed: {MAX_CLASSES:,}")
        allowed = names_for(self.resolved_task, is_binary=self.is_binary)
        for field, measured in (("objective", self.objective), ("gate", self.gate)):
            assert isinstance(measured, Measured)
            if measured.metric not in allowed:
                why = (
                    f"of {BINARY}"
                    if METRICS[measured.metric].task == BINARY
                    else f"not of {self.resolved_task}"
                )
                raise ValueError(
                    f"{field}.metric is {measured.metric}, a metric {why}; allowed: {', '.join(allowed)}"
                )
        if not self.is_classification and self.class_weight is not None:
            raise ValueError("class_weight is given; allowed: for classification")
        if isinstance(self.class_weight, dict) and (
            odd := [k for k in self.class_weight if k not in self.classes]
        ):
            raise ValueError(f"class_weight names {odd[0]!r}; allowed: classes of the target")
        self._check_threshold(allowed)

    def _check_threshold(self, allowed: list[str]) -> None:
        chosen = self.decision_threshold
        if chosen is None:
            return
        if not self.is_binary:
            raise ValueError("decision_threshold is given; allowed: for two classes")
        names = [name for name in THRESHOLD_METRICS if name in allowed]
        is_right = chosen in names if isinstance(chosen, str) else 0 < chosen < 1
        if not is_right:
            raise ValueError(
                f"decision_threshold is {chosen!r}; allowed: a number between 0 and 1, or what it makes best on the "
                f"validation part: {', '.join(names)}"
            )

    def _check_hyperparameters(self) -> None:
        both = sorted(self.hyperparameters.keys() & self.search.keys())
        if both:
            raise ValueError(f"{both[0]!r} is in hyperparameters and in search; allowed: one of the two")
        odd = [name for name in (*self.hyperparameters, *self.search) if not name.isidentifier()]
        if odd:
            raise ValueError(
                f"{odd[0]!r} is not a valid name of a hyperparameter; a list is written [64, 32] in YAML"
            )
        reserved = [name for name in self.search if name in RESERVED or name.startswith(RESERVED_PREFIXES)]
        if reserved:
            raise ValueError(f"search.{reserved[0]} has a name that training jobs use; allowed: another name")

    @property
    def can_report(self) -> bool:
        """Whether the estimator reports after each of its rounds."""
        return can_report(self.estimator)

    @property
    def most_rounds(self) -> int:
        return most_rounds(self.estimator, self.hyperparameters, self.search)

    @property
    def job_count(self) -> int:
        """The training jobs of the tuning job, at most."""
        if self.tuning.max_jobs is not None and self.tuning.strategy != "Grid":
            return self.tuning.max_jobs
        return grid_size(self.search)

    @property
    def resolved_task(self) -> str:
        """The task as given; else by the target, whose classes are known or not."""
        if self.task:
            return self.task
        return CLASSIFICATION if self._known_classes() else REGRESSION

    @property
    def is_classification(self) -> bool:
        return self.resolved_task == CLASSIFICATION

    @property
    def is_binary(self) -> bool:
        return len(self.classes) == 2

    @property
    def classes(self) -> tuple[Any, ...]:
        """The labels of a classification, in the order of their probabilities; of two, the second is the positive one."""
        return self._known_classes() if self.is_classification else ()

    def _known_classes(self) -> tuple[Any, ...]:
        target = self.target
        if target.type == "boolean":
            return (False, True)
        if target.constraints.enum:
            return target.constraints.enum
        column = target.columns()[0]
        if target.type == "integer" and column.minimum is not None and column.maximum is not None:
            if column.maximum - column.minimum >= MAX_CLASSES:
                return ()
            return tuple(range(int(column.minimum), int(column.maximum) + 1))
        return ()

    @property
    def threshold_metric(self) -> str | None:
        """The metric that the decision threshold optimizes on the validation part, or None if the threshold is not chosen."""
        if not self.is_binary or isinstance(self.decision_threshold, float):
            return None
        if isinstance(self.decision_threshold, str):
            return self.decision_threshold
        return self.gate.metric if self.gate.metric in THRESHOLD_METRICS else "f1"

    def _schema(self, *specs: ColumnSpec) -> Schema:
        return Schema(
            tuple(column for spec in specs for column in spec.columns()),
            missing_values=self.missingValues,
            unknown_categories=self.unknown_categories == "unknown",
            dialect=self.csv.dialect,
        )

    def request_schema(self) -> Schema:
        """The columns of a request: the features."""
        return self._schema(*self.features)

    def training_schema(self) -> Schema:
        """The columns of the parts: the features, then the target, which every row has."""
        return self._schema(*self.features, self._required_target)

    def file_schema(self) -> Schema:
        """The columns of the raw data that are read: those of training, then the ignored ones that have a type."""
        return self._schema(*self.features, self._required_target, *self._typed_ignored)

    @property
    def _required_target(self) -> ColumnSpec:
        constraints = self.target.constraints.model_copy(update={"required": True})
        return self.target.model_copy(update={"constraints": constraints})

    @property
    def _typed_ignored(self) -> tuple[ColumnSpec, ...]:
        return tuple(each for each in self.ignored if isinstance(each, ColumnSpec))

    def ignored_columns(self) -> tuple[Any, ...]:
        return tuple(column for each in self._typed_ignored for column in each.columns())

    @property
    def ignored_names(self) -> tuple[str, ...]:
        """Columns of the raw data that are not read."""
        return tuple(each for each in self.ignored if isinstance(each, str))
