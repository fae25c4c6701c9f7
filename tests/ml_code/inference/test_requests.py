"""Which line is a header, and what a line of a batch holds."""

import pytest

from ml_code.inference.requests import is_header_line, read_lines, read_request
from ml_code.table.columns import Column, Schema
from ml_code.table.rows import RowReader

NUMBERED = Schema(tuple(Column(name=str(number), required=True, minimum=0, maximum=9) for number in range(4)))
READER = RowReader(NUMBERED)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("9.0,1.5,2.5,4.5\n", [[9, 1.5, 2.5, 4.5]]),
        ("9,1,2,3\n", [[9, 1, 2, 3]]),
        ("3,2,1,0\n5,6,7,8\n", [[3, 2, 1, 0], [5, 6, 7, 8]]),
        ("5,6,7,8\n3,2,1,0\n", [[5, 6, 7, 8], [3, 2, 1, 0]]),
        ("0, 1,2,3\n5,6,7,8\n", [[5, 6, 7, 8]]),
    ],
)
def test_numbers_are_a_header_as_all_names_in_their_order_only(body: str, rows: list[list[float]]) -> None:
    assert read_request(READER, body, "text/csv").tolist() == rows


def test_a_batch_of_numbered_columns_has_a_header_by_the_same_rule() -> None:
    assert is_header_line(NUMBERED, "0,1,2, 3\r")
    assert not is_header_line(NUMBERED, "3,2,1,0")
    assert not is_header_line(NUMBERED, "0,9,9,9")


def test_the_quoted_lines_of_a_batch_are_read() -> None:
    assert is_header_line(NUMBERED, '"0","1","2","3"\r')
    lines = ['"1.5","9",2,"3"\r', '"1","2","3","4', '1, "2",3,4']
    values, indices, faults = read_lines(READER, lines)
    assert (values.tolist(), indices) == ([[1.5, 9, 2, 3]], [0])
    assert faults == {
        1: "the line is not valid CSV: unexpected end of data",
        2: "column '1': '\"2\"' is not allowed; give a number from 0 to 9",
    }
