"""The fitted model of a table: labels in and out, of any estimator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import sklearn
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from ml_code.estimators.libraries import Report, library_of
from ml_code.estimators.preparation import category_places
from ml_code.table.cells import Values
from ml_code.table.columns import Schema
from ml_code.table.frames import encode


@dataclass(frozen=True)
class Checked:
    """Rows on which an estimator reports while it learns."""

    frame: pd.DataFrame
    target: "pd.Series[Any]"
    report: Report


class TableModel(BaseEstimator):  # type: ignore[misc]
    """`pipeline` learns from encoded values and, of classes, from their places in `classes`; none: regression.

    Of two classes the second is predicted from `threshold` on; without one, as of more classes, the most probable.
    """

    def __init__(
        self,
        schema: Schema,
        pipeline: Pipeline,
        classes: tuple[Any, ...] = (),
        class_weight: str | Mapping[Any, float] | None = None,
        threshold: float | None = None,
    ) -> None:
        self.schema = schema
        self.pipeline = pipeline
        self.classes = classes
        self.class_weight = class_weight
        self.threshold = threshold

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        return np.array(self.schema.names, dtype=object)

    @property
    def classes_(self) -> NDArray[Any]:
        return labels_array(self.classes)

    def fit(self, frame: pd.DataFrame, target: "pd.Series[Any]", checked: Checked | None = None) -> Self:
        """`target` has labels, or numbers. With `checked`, the estimator reports on those rows after each round."""
        values, truth = encode(frame, self.schema), self._numbers_of(target)
        *steps, (_, estimator) = self.pipeline.steps
        for _, step in steps:
            values = step.fit_transform(values, truth)
        library = library_of(type(estimator).__module__)
        # Of the prepared columns.
        options = library.fit_arguments([place for place, _ in category_places(self.schema)])
        if self.class_weight is not None:
            by_code = self.class_weight
            if isinstance(by_code, Mapping):
                by_code = {code: by_code.get(label, 1.0) for code, label in enumerate(self.classes)}
            options["sample_weight"] = compute_sample_weight(by_code, truth)
        if checked is None:
            estimator.fit(values, truth, **options)
            return self
        others = self._prepare(encode(checked.frame, self.schema)), self._numbers_of(checked.target)
        library.fit_reporting(estimator, (values, truth), others, checked.report, **options)
        return self

    def _numbers_of(self, target: "pd.Series[Any]") -> NDArray[Any]:
        """The target as estimators take it: classes as their places."""
        return class_codes(target, self.classes) if self.classes else target.to_numpy(dtype=np.float64)

    def predict(self, frame: pd.DataFrame) -> NDArray[Any]:
        values = encode(frame, self.schema)
        if not self.classes:
            return self.numbers(values)
        return self.classes_[self.decide(self.probabilities(values))]

    def predict_proba(self, frame: pd.DataFrame) -> Values:
        return self.probabilities(encode(frame, self.schema))

    def numbers(self, values: Values) -> Values:
        """The predictions of a regression."""
        return self._predict(values, "predict").reshape(-1)

    def probabilities(self, values: Values) -> Values:
        """The probabilities of encoded rows, in the order of `classes`."""
        return self._predict(values, "predict_proba")

    def use_cores(self, count: int) -> None:
        """Predict with this many cores in the place of those of the training; the predictions stay the same."""
        estimator = self.pipeline.steps[-1][1]
        library_of(type(estimator).__module__).use_cores(estimator, count)

    def _predict(self, values: Values, method: str) -> Values:
        # The contract has seen to what scikit-learn would check again.
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            estimator = self.pipeline.steps[-1][1]
            library = library_of(type(estimator).__module__)
            return np.asarray(library.predict(estimator, method, self._prepare(values)), dtype=np.float64)

    def _prepare(self, values: Values) -> Values:
        # One by one: Pipeline's routing of metadata, which nothing here uses, costs as much as the steps do.
        for _, step in self.pipeline.steps[:-1]:
            values = step.transform(values)
        return values

    def decide(self, probabilities: Values) -> NDArray[np.intp]:
        """Each row's class, as its place in `classes`."""
        if self.threshold is not None:
            return (probabilities[:, 1] >= self.threshold).astype(np.intp)
        most_probable: NDArray[np.intp] = probabilities.argmax(axis=1)
        return most_probable

    def __sklearn_is_fitted__(self) -> bool:
        return True


def labels_array(labels: Sequence[Any]) -> NDArray[Any]:
    """An array of labels: of objects for text, else of whole numbers or booleans."""
    return (
        np.array(labels, dtype=object) if any(isinstance(each, str) for each in labels) else np.array(labels)
    )


def class_codes(labels: Any, classes: Sequence[Any]) -> NDArray[np.intp]:
    """The place of each label in `classes`; -1 of another, as a model of other classes may predict."""
    place = {label: code for code, label in enumerate(classes)}
    return np.fromiter((place.get(label, -1) for label in labels), np.intp, len(labels))
