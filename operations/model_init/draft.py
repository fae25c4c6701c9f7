"""The parts of a draft: the columns, and the choices that follow from them."""

from dataclasses import dataclass, replace
from typing import Any

from operations.errors import OperationError
from operations.model_init.column_types import TypedColumn, TypedTable
from operations.model_init.columns import Described, describe_feature, describe_target
from operations.model_init.findings import left_out
from operations.model_init.raw_table import RawTable, shown
from operations.model_init.sample import Sample
from operations.model_init.task import Task

SEED = 1
SPLIT = {"train": 0.6, "validation": 0.2, "test": 0.2}
TUNING = {"strategy": "Bayesian", "max_jobs": 6, "max_parallel_jobs": 2}


@dataclass(frozen=True, kw_only=True)
class Choice:
    value: Any
    why: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    name: str
    source: str
    """The file's name."""
    row_count: int
    table: TypedTable
    task: Task
    target: Described
    features: list[tuple[TypedColumn, Described]]
    ignored: dict[str, str]
    """Columns that are left out, and why."""
    sample: Sample

    @property
    def metric(self) -> Choice:
        task = self.task
        if not task.has_classes:
            return Choice(value="r2", why="the share of the target's variance that is explained, 1 at best")
        if not task.is_binary:
            if task.is_imbalanced:
                return Choice(value="f1_macro", why="each class counts alike, however few rows it has")
            return Choice(value="accuracy", why="the classes have about as many rows each")
        if task.is_imbalanced and task.class_counts[1] < task.class_counts[0]:
            return Choice(value="average_precision", why="the positive class is rare: it alone is looked at")
        return Choice(value="roc_auc", why="how well it separates the two classes, at any decision threshold")

    @property
    def split_by(self) -> Choice:
        if self.task.has_small_class:
            return Choice(value="target", why="each part has its share of the smallest class")
        return Choice(value="content", why="a row's part depends on the row only and never changes")

    @property
    def is_balanced_by_weight(self) -> bool:
        return self.task.is_imbalanced


def make_draft(name: str, source: str, table: TypedTable, raw: RawTable, task: Task, sample: Sample) -> Draft:
    """Raise OperationError when no column is left to learn from."""
    ignored = left_out(replace_target(table, task), task.target, has_classes=task.has_classes)
    in_sample = raw.rows(sample.places)
    for column in in_sample.columns:
        if len(column.texts) == 1 and column.name != task.target.name:
            ignored.setdefault(column.name, "constant in the sample of rows below data/")
    features = [
        (column, describe_feature(column))
        for column in table.columns
        if column.name != task.target.name and column.name not in ignored
    ]
    if not features:
        reasons = "; ".join(f"{shown(name)!r}: {why}" for name, why in list(ignored.items())[:3])
        raise OperationError(
            f"{source} has no column to predict {task.target.name!r} from, as all are left out ({reasons}); give "
            f"others"
        )
    return Draft(
        name=name,
        source=source,
        row_count=raw.row_count,
        table=table,
        task=task,
        target=describe_target(task),
        features=features,
        ignored=ignored,
        sample=sample,
    )


def replace_target(table: TypedTable, task: Task) -> TypedTable:
    """The draft with the target as its task has it."""
    columns = [task.target if column.name == task.target.name else column for column in table.columns]
    return replace(table, columns=columns)
