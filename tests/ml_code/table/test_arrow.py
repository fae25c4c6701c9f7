"""Encoded rows are the same table in Arrow and in pandas."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_code.table.arrow import ArrowRows, arrow_schema
from ml_code.table.columns import Column, Schema
from ml_code.table.contract import allowed_cells, are_all_allowed
from ml_code.table.frames import decode
from ml_code.table.ranges import Ranges

COLUMNS = {
    Column(name="number"): st.floats(allow_infinity=False),
    Column(name="count", type="integer"): st.integers(-(2**53) + 1, 2**53 - 1),
    Column(name="flag", type="boolean"): st.integers(0, 1),
    Column(name="kind", type="string", enum=("red", "blue")): st.integers(0, 2),
    Column(name="day", type="date"): st.integers(-10_000, 30_000).map(lambda day: day * 86_400),
    Column(name="moment", type="datetime"): st.integers(-(10**15), 10**15).map(lambda count: count / 10**6),
}
ROWS = st.lists(st.tuples(*(st.none() | cells for cells in COLUMNS.values())), min_size=1, max_size=6)


@given(rows=ROWS, has_unknown=st.booleans(), data=st.data())
def test_rows_are_those_of_the_data_frame(
    rows: list[tuple[float, ...]], has_unknown: bool, data: st.DataObject
) -> None:
    schema = Schema(tuple(COLUMNS), unknown_categories=has_unknown)
    values = np.array(rows, dtype=np.float64)
    if not has_unknown:
        values[values[:, 3] == 2, 3] = np.nan
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1)))
    batch = ArrowRows(schema).batch(np.asfortranarray(values).T, np.array(chosen, dtype=np.intp))
    expected = pa.Table.from_pandas(decode(values[chosen], schema), preserve_index=False)
    assert batch.schema.equals(expected.schema, check_metadata=False)
    assert batch.to_pydict() == expected.to_pydict()


def test_gaps_decide_about_the_types_in_pandas() -> None:
    no_rows = arrow_schema(Schema(tuple(COLUMNS)), frozenset({"count", "flag"})).empty_table()
    types = {name: str(kind) for name, kind in no_rows.to_pandas().dtypes.items()}
    assert (types["count"], types["flag"]) == ("Int64", "boolean")


CELLS = st.sampled_from([np.nan, 0.0, 1.0, 2.0, 2.5, 3.0, -1.0, np.inf, -np.inf, 2.0**53])
CHECKED = Schema(
    (
        Column(name="number", minimum=0, maximum=2.5),
        Column(name="count", type="integer"),
        Column(name="choice", enum=(1, 2.5)),
        Column(name="kind", type="string", enum=("red", "blue")),
        Column(name="flag", type="boolean", required=True),
    )
)


@pytest.mark.parametrize("has_unknown", [False, True])
@given(rows=st.lists(st.tuples(*[CELLS] * 5), max_size=4))
def test_all_cells_are_allowed_if_each_is(has_unknown: bool, rows: list[tuple[float, ...]]) -> None:
    schema = Schema(CHECKED.columns, unknown_categories=has_unknown)
    values = np.array(rows, dtype=np.float64).reshape(len(rows), 5)
    assert are_all_allowed(values, Ranges.of(values), schema) == allowed_cells(values, schema).all()


@given(good=st.lists(st.tuples(*[st.sampled_from([np.nan, 1.0])] * 4, st.sampled_from([0.0, 1.0]))))
def test_good_cells_are_allowed(good: list[tuple[float, ...]]) -> None:
    values = np.array(good, dtype=np.float64).reshape(len(good), 5)
    assert are_all_allowed(values, Ranges.of(values), CHECKED)
