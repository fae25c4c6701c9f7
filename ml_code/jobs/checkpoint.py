"""The fitted model, kept where a spot instance that is taken away leaves it for the next one.

An estimator of scikit-learn is fitted in one call, so there is nothing to keep earlier.
"""

import pickle
from pathlib import Path

from ml_code.estimators.model import TableModel
from ml_code.estimators.saving import MODEL_FILE, load_model


def restore(directory: Path | None, job_name: str) -> TableModel | None:
    """The model that an interrupted attempt of the same job fitted."""
    path = _path(directory, job_name)
    if path is None or not path.is_file():
        return None
    print(f"restored the model from {path}")
    # Written by this very job, into the factory's own bucket.
    model: TableModel = load_model({MODEL_FILE: path.read_bytes()})
    return model


def save(directory: Path | None, job_name: str, model: TableModel) -> None:
    path = _path(directory, job_name)
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_bytes(pickle.dumps(model))
    draft.rename(path)  # the directory is copied to S3 at any moment


def _path(directory: Path | None, job_name: str) -> Path | None:
    # All jobs of a tuning job share the directory's place in S3.
    return None if directory is None else directory / f"{job_name}.pkl"
