"""The statistics, with the real data: 64 grey levels, some of them constant, most of them often zero."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ml_code.drift.comparison import compare
from ml_code.jobs.parts import split
from ml_code.spec import ModelSpec
from ml_code.table.columns import Column, Schema
from stacks.settings.endpoints import Drift

WINDOWS = 20
ROWS = Drift().minimum_rows
SMALLEST_STATISTIC = Drift().threshold_percent / 100


def schema_of(names: Sequence[str]) -> Schema:
    return Schema(tuple(Column(name=name) for name in names))


@pytest.fixture(scope="module")
def parts(spec: ModelSpec, digits: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return split(digits, spec)


@pytest.fixture(scope="module")
def names(spec: ModelSpec) -> Sequence[str]:
    return spec.request_schema().names


@pytest.fixture(scope="module")
def training(parts: dict[str, pd.DataFrame], names: Sequence[str]) -> NDArray[np.float64]:
    return np.asarray(parts["train"][names], np.float64)


@pytest.fixture(scope="module")
def windows(parts: dict[str, pd.DataFrame], names: Sequence[str]) -> list[NDArray[np.float64]]:
    """Rows that training has not seen, as many as the least that is compared."""
    held_out = pd.concat([parts["validation"], parts["test"]])[names].to_numpy(np.float64)
    random = np.random.default_rng(4)
    return [held_out[random.choice(len(held_out), ROWS, replace=False)] for _ in range(WINDOWS)]


def test_unshifted_inputs_name_no_feature_in_20_windows(
    names: Sequence[str], training: NDArray[np.float64], windows: list[NDArray[np.float64]]
) -> None:
    assert (training.std(axis=0) == 0).any(), "a constant column must be among them"
    for live in windows:
        assert compare(schema_of(names), training, live, smallest_statistic=SMALLEST_STATISTIC).drifted == []


def test_a_shift_of_two_deviations_in_three_features_names_these_in_every_window(
    names: Sequence[str], training: NDArray[np.float64], windows: list[NDArray[np.float64]]
) -> None:
    deviation = training.std(axis=0)
    varying = np.flatnonzero(deviation)
    random = np.random.default_rng(5)
    for live in windows:
        columns = random.choice(varying, 3, replace=False)
        shifted = live.copy()
        shifted[:, columns] = shifted[:, columns] + 2 * deviation[columns]
        found = compare(schema_of(names), training, shifted, smallest_statistic=SMALLEST_STATISTIC)
        assert set(found.drifted) == {names[column] for column in columns}


def test_a_difference_too_small_to_matter_names_nothing_however_sure_it_is() -> None:
    random = np.random.default_rng(6)
    training = random.normal(size=(10_000, 1))
    live = random.normal(loc=0.15, size=(20_000, 1))
    (feature,) = compare(schema_of(["x"]), training, live, smallest_statistic=0.1).features
    assert feature.p_value < 1e-15
    assert not feature.has_drifted
    assert compare(schema_of(["x"]), training, live, smallest_statistic=0.02).drifted == ["x"]


def test_a_large_difference_among_few_rows_names_nothing() -> None:
    random = np.random.default_rng(7)
    training, live = random.normal(size=(1000, 64)), random.normal(size=(20, 64))
    found = compare(schema_of([str(n) for n in range(64)]), training, live, smallest_statistic=0.1)
    assert found.largest_statistic > 0.2
    assert found.drifted == []


def test_a_constant_column_that_varies_has_drifted_and_one_that_stays_has_not() -> None:
    training, live = np.zeros((500, 2)), np.zeros((200, 2))
    live[:, 1] = 1
    found = compare(schema_of(["stays", "varies"]), training, live, smallest_statistic=0.1)
    assert found.drifted == ["varies"]
    assert [feature.statistic for feature in found.features] == [1.0, 0.0]


def test_categories_and_gaps_are_compared_by_their_shares() -> None:
    random = np.random.default_rng(8)
    columns = (
        Column(name="stays", type="string", enum=("a", "b", "c")),
        Column(name="turns", type="string", enum=("a", "b", "c")),
        Column(name="new", type="string", enum=("a",)),
        Column(name="gaps"),
    )
    training, live = (random.integers(0, 3, size=(rows, 4)).astype(float) for rows in (2000, 500))
    training[:, 2], live[:, 2] = 0, 1  # a category that training did not know
    live[:, 1] = np.where(live[:, 1] == 0, 2, live[:, 1])
    live[:150, 3] = np.nan
    found = compare(Schema(columns), training, live, smallest_statistic=0.1)
    assert set(found.drifted) == {"turns", "new", "gaps"}
    by_name = {feature.name: feature for feature in found.features}
    assert by_name["turns"].statistic == pytest.approx(1 / 3, abs=0.05)
    assert by_name["new"].statistic == 1
    assert by_name["turns"].training_mean is None
