"""The range of each column of encoded values: quick to find, and enough to know that all cells are allowed."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ml_code.table.cells import Values


@dataclass(frozen=True)
class Ranges:
    """The lowest and the highest cell of each column, NaN where all are missing; and whether any is missing."""

    lowest: Values
    highest: Values
    has_gaps: NDArray[np.bool_]

    @classmethod
    def of(cls, values: Values) -> Self:
        return cls(
            np.fmin.reduce(values, axis=0, initial=np.nan),
            np.fmax.reduce(values, axis=0, initial=np.nan),
            np.isnan(np.minimum.reduce(values, axis=0, initial=np.inf)),
        )
