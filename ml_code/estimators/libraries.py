"""The library of an estimator, and its needs: the one place that knows the libraries apart.

All of them train and serve in SageMaker's scikit-learn image; what it lacks travels as a wheel of requirements-job.lock.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Library:
    package: str
    """The first part of the estimators' import paths."""
    distribution: str
    """Its name on the package index."""
    in_image: bool = False


# In the folder of a model: the wheel of its library, where the image has none.
LIBRARY_FOLDER = "library"
LIBRARIES = {
    library.package: library
    for library in (
        Library(package="sklearn", distribution="scikit-learn", in_image=True),
        Library(package="xgboost", distribution="xgboost-cpu"),
        Library(package="lightgbm", distribution="lightgbm"),
    )
}


def library_of(estimator: str) -> Library:
    """`estimator` is an import path."""
    return LIBRARIES[estimator.partition(".")[0]]
