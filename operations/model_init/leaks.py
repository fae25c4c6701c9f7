"""Whether one column alone gives the target away."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from operations.model_init.column_types import TypedColumn

_ROWS = 2_000
_FOLDS = 3
_LEAST_CLASS_ROWS = 5
_LEAST_BALANCED_ACCURACY = 0.99
_LEAST_R2 = 0.999
_LEAST_CORRELATION = 0.9999
# One column may well tell two classes of a few rows apart.
_LEAST_ROWS = 100


def reveals_target(column: TypedColumn, target: TypedColumn, *, has_classes: bool) -> bool:
    """A copy of it, by other names too; or what predicts it almost without error."""
    known = ~np.isnan(target.cells)
    feature, truth = column.cells[known], target.cells[known]
    if _is_renamed(feature, truth) if has_classes else _is_linear(feature, truth):
        return True
    if len(truth) < _LEAST_ROWS:
        return False
    places = np.random.default_rng(0).permutation(len(truth))[:_ROWS]
    feature, truth = feature[places].reshape(-1, 1), truth[places]
    if not has_classes:
        return _r2(feature, truth) >= _LEAST_R2
    labels, codes, counts = np.unique(truth, return_inverse=True, return_counts=True)
    is_enough = len(labels) > 1 and counts.min() >= _LEAST_CLASS_ROWS
    return bool(is_enough and _balanced_accuracy(feature, codes) >= _LEAST_BALANCED_ACCURACY)


def _is_renamed(feature: NDArray[np.float64], truth: NDArray[np.float64]) -> bool:
    """Whether each value of one stands for one value of the other."""
    if np.isnan(feature).any():
        return False
    values, classes = len(np.unique(feature)), len(np.unique(truth))
    return values == classes == len(np.unique(np.column_stack([feature, truth]), axis=0))


def _is_linear(feature: NDArray[np.float64], truth: NDArray[np.float64]) -> bool:
    known = ~np.isnan(feature)
    x, y = feature[known], truth[known]
    if len(x) < _LEAST_CLASS_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return False
    with np.errstate(all="ignore"):  # of the largest numbers
        return bool(abs(np.corrcoef(x, y)[0, 1]) >= _LEAST_CORRELATION)


def _r2(feature: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    folds = KFold(_FOLDS, shuffle=True, random_state=0)
    with np.errstate(all="ignore"):
        found = cross_val_predict(DecisionTreeRegressor(random_state=0), feature, truth, cv=folds)
        return float(r2_score(truth, found))


def _balanced_accuracy(feature: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    tree = DecisionTreeClassifier(class_weight="balanced", random_state=0)
    return float(balanced_accuracy_score(codes, cross_val_predict(tree, feature, codes, cv=folds)))
