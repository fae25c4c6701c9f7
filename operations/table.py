"""Tables on a terminal, the words of AWS's states in colour; nothing is cut or broken, however narrow it is."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

COLOURS = {
    "Succeeded": "green",
    "InService": "green",
    "ok": "green",
    "Failed": "red",
    "fault": "red",
    "InProgress": "yellow",
    "Executing": "yellow",
    "warning": "yellow",
}
Row = tuple[str, ...]
# The last column is wrapped, down to this width; the others hold names, which are to be copied.
NARROWEST_TEXT = 30


def print_table(console: Console, title: str, columns: Row, rows: Iterable[Row]) -> None:
    """Print a table, or on a terminal too narrow for one a block of lines for each row."""
    found = [*rows]
    # A column in which no row has anything would only take width from the others.
    shown = [
        number for number, name in enumerate(columns) if name != "why" or any(row[number] for row in found)
    ]
    names = [columns[number] for number in shown]
    cells = [[row[number] for number in shown] for row in found]
    # A title of the table's would wrap at its width.
    console.print(f"[bold]{escape(title)}[/]", soft_wrap=True)
    if _width(names, cells) <= console.width:
        console.print(_table(names, cells))
    else:
        for row in cells:
            _print_block(console, names, row)


def _width(names: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    longest = [
        max((len(line) for cell in column for line in cell.splitlines()), default=0)
        for column in zip(names, *rows, strict=True)
    ]
    return sum(longest[:-1]) + min(longest[-1], NARROWEST_TEXT) + 3 * len(names) + 1


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    for name in names[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(names[-1], overflow="fold")
    for row in rows:
        table.add_row(*map(_coloured, row))
    return table


def _print_block(console: Console, names: Sequence[str], row: Sequence[str]) -> None:
    """The terminal wraps the lines: what is copied from it has no breaks."""
    console.print(f"{escape(names[0])} {_coloured(row[0])}", soft_wrap=True, highlight=False)
    for name, cell in zip(names[1:], row[1:], strict=True):
        if cell:
            console.print(f"  {escape(name)}: {_coloured(cell)}", soft_wrap=True, highlight=False)


def _coloured(cell: str) -> str:
    return f"[{COLOURS[cell]}]{cell}[/]" if cell in COLOURS else escape(cell)
