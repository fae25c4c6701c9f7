"""The libraries of estimators, and the image that they train and serve in: the one place that knows the libraries apart.

Adding a library is an entry here and a pin in ml_code/requirements-estimators.txt. All train and serve in the same image;
what it lacks travels as a wheel of requirements-job.lock.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

# SageMaker's image, as the SDK calls it.
IMAGE_FRAMEWORK, IMAGE_VERSION = "sklearn", "1.9-0"
# In the folder of a model: the wheel of its library, where the image has none.
LIBRARY_FOLDER = "library"

# Fewer are predicted before another thread has started.
_ROWS_OF_A_THREAD = 100

# The loss of what was predicted, by the truth and the predictions, which it reports.
Report = Callable[[Any, Any], float]


class Library:
    """A library that follows scikit-learn's conventions, and nothing more: gaps are filled for it, categories become columns."""

    in_image = False
    round_parameters: tuple[str, ...] = ()
    """The names of the number of rounds, of a library whose estimators report after each."""
    default_rounds = 0
    own_format = ""
    """The extension of files in the library's own format; none: its models are pickled."""

    def __init__(self, package: str, distribution: str) -> None:
        """`package` is how import paths begin, `distribution` its name on the package index."""
        self.package = package
        self.distribution = distribution

    def provide_system_libraries(self) -> None:
        """Load what the library's import needs of the system."""

    def takes_gaps_and_categories(self, path: str) -> bool:
        del path
        return False

    def category_arguments(self, categories: Sequence[int], width: int) -> dict[str, Any]:
        """Return the constructor's arguments that say which of the `width` columns are categorical."""
        del categories, width
        return {}

    def fit_arguments(self, categories: Sequence[int]) -> dict[str, Any]:
        del categories
        return {}

    def unknown_arguments(self, kind: Any, arguments: Mapping[str, Any]) -> list[str]:
        """Names that are no parameters, of a class that takes any name."""
        del kind, arguments
        return []

    def fit_reporting(
        self, estimator: Any, rows: tuple[Any, Any], checked: tuple[Any, Any], report: Report, **options: Any
    ) -> None:
        """Fit `rows`, and report on the predictions for those that are `checked` after each round."""
        raise NotImplementedError(f"estimators of {self.package} do not report while they learn")

    def predict(self, estimator: Any, method: str, values: Any) -> Any:
        """Return what the fitted estimator's `method`, predict or predict_proba, returns."""
        return getattr(estimator, method)(values)

    def use_cores(self, estimator: Any, count: int) -> None:
        """Let a served estimator share the rows of a large request among this many cores, where the library can."""

    def is_own_model(self, found: object) -> bool:
        """Whether the object is what the library saves in its own format."""
        kind = type(found)
        return (
            bool(self.own_format)
            and kind.__name__ == "Booster"
            and kind.__module__.partition(".")[0] == self.package
        )

    def save(self, own_model: Any) -> bytes:
        raise NotImplementedError(f"{self.package} has no format of its own")

    def load(self, content: bytes) -> Any:
        raise NotImplementedError(f"{self.package} has no format of its own")


class _ScikitLearn(Library):
    in_image = True

    def takes_gaps_and_categories(self, path: str) -> bool:
        return path.rpartition(".")[2].startswith("HistGradientBoosting")

    def category_arguments(self, categories: Sequence[int], width: int) -> dict[str, Any]:
        del width
        return {"categorical_features": list(categories)} if categories else {}


class _Boosters(Library):
    round_parameters: tuple[str, ...] = ("n_estimators",)
    default_rounds = 100

    def takes_gaps_and_categories(self, path: str) -> bool:
        del path
        return True

    def unknown_arguments(self, kind: Any, arguments: Mapping[str, Any]) -> list[str]:
        known = {*kind().get_params(), *self._other_names()}
        return [name for name in arguments if name not in known]

    def _other_names(self) -> set[str]:
        """Names of parameters besides those of the estimators' constructors."""
        return set()


class _XGBoost(_Boosters):
    own_format = "ubj"

    def category_arguments(self, categories: Sequence[int], width: int) -> dict[str, Any]:
        kinds = ["c" if place in categories else "q" for place in range(width)]
        return {"enable_categorical": True, "feature_types": kinds} if categories else {}

    def fit_reporting(
        self, estimator: Any, rows: tuple[Any, Any], checked: tuple[Any, Any], report: Report, **options: Any
    ) -> None:
        def loss(truth: Any, predicted: Any) -> float:
            return report(truth, predicted)

        before = estimator.eval_metric
        estimator.set_params(eval_metric=loss)
        estimator.fit(*rows, eval_set=[checked], verbose=False, **options)
        estimator.set_params(eval_metric=before)

    def save(self, own_model: Any) -> bytes:
        return bytes(own_model.save_raw("ubj"))

    def load(self, content: bytes) -> Any:
        return importlib.import_module("xgboost").Booster(model_file=bytearray(content))


class _LightGBM(_Boosters):
    own_format = "txt"
    round_parameters = (
        *("n_estimators", "num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees", "max_iter"),
        *("num_round", "num_rounds", "nrounds", "num_boost_round"),
    )

    def provide_system_libraries(self) -> None:
        from ml_code.estimators.openmp import provide_openmp

        provide_openmp()

    def fit_arguments(self, categories: Sequence[int]) -> dict[str, Any]:
        return {"categorical_feature": list(categories) or "auto"}  # it takes no other way to say it

    def fit_reporting(
        self, estimator: Any, rows: tuple[Any, Any], checked: tuple[Any, Any], report: Report, **options: Any
    ) -> None:
        def metric(truth: Any, predicted: Any) -> tuple[str, float, bool]:
            return "loss", report(truth, predicted), False

        estimator.fit(*rows, eval_X=checked[0], eval_y=checked[1], eval_metric=metric, **options)

    def predict(self, estimator: Any, method: str, values: Any) -> Any:
        # The estimator checks parameters and values anew, which takes 20 times as long as the prediction of one row.
        threads = min(estimator.n_jobs or 0, 1 + len(values) // _ROWS_OF_A_THREAD)
        found = estimator.booster_.predict(values, num_threads=threads)
        is_binary = method == "predict_proba" and found.ndim == 1
        return np.column_stack((1.0 - found, found)) if is_binary else found

    def use_cores(self, estimator: Any, count: int) -> None:
        estimator.n_jobs = count  # each row by itself: the predictions stay the same to the last bit

    def save(self, own_model: Any) -> bytes:
        text: str = own_model.model_to_string()
        return text.encode()

    def load(self, content: bytes) -> Any:
        return importlib.import_module("lightgbm").Booster(model_str=content.decode())

    def _other_names(self) -> set[str]:
        # LightGBM has no public list of them.
        basic = importlib.import_module("lightgbm.basic")
        aliases: dict[str, list[str]] = basic._ConfigAliases._get_all_param_aliases()  # noqa: SLF001
        return {*aliases, *(name for names in aliases.values() for name in names)}


LIBRARIES: dict[str, Library] = {
    library.package: library
    for library in (
        _ScikitLearn("sklearn", "scikit-learn"),
        _XGBoost("xgboost", "xgboost-cpu"),
        _LightGBM("lightgbm", "lightgbm"),
    )
}


def library_of(path: str) -> Library:
    """Return the library of an import path, an estimator's or its module's; one without an entry has no ways of its own."""
    package = path.partition(".")[0]
    return LIBRARIES.get(package) or Library(package, package)
