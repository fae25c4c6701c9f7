"""Fitted models as bytes."""

import pickle
from typing import Any

from ml_code.estimators.openmp import provide_openmp


def load_model(content: bytes) -> Any:
    """Return the TableModel, or of versions that were trained before there was one the pipeline.

    Only for files of the factory's own: a pickle runs what it likes.
    """
    provide_openmp()
    return pickle.loads(content)  # noqa: S301
