"""A model's answers to a part, block by block: of the rows only these stay in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_code.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Answers:
    truth: list[Any]
    predicted: list[Any]
    probabilities: NDArray[np.float64] | None
    """None of a regression."""


def answers_of(spec: ModelSpec, model: Any, blocks: Iterable[pd.DataFrame]) -> Answers:
    truth: list[Any] = []
    predicted: list[Any] = []
    probabilities: list[NDArray[np.float64]] = []
    for block in blocks:
        features = block.drop(columns=spec.target.name)
        truth += block[spec.target.name].tolist()
        predicted += model.predict(features).tolist()
        if spec.is_classification:
            probabilities.append(np.asarray(model.predict_proba(features)))
    return Answers(
        truth=truth,
        predicted=predicted,
        probabilities=np.concatenate(probabilities) if probabilities else None,
    )
