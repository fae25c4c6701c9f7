"""Tables on a terminal, the words of AWS's states in colour."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table

COLOURS = {
    "Succeeded": "green",
    "InService": "green",
    "Failed": "red",
    "InProgress": "yellow",
    "Executing": "yellow",
}
Row = tuple[str, ...]


def print_table(console: Console, title: str, columns: Row, rows: Iterable[Row]) -> None:
    found = [*rows]
    # A column in which no row has anything would only take width from the others.
    shown = [
        number for number, name in enumerate(columns) if name != "why" or any(row[number] for row in found)
    ]
    console.print(
        f"[bold]{escape(title)}[/]", soft_wrap=True
    )  # a title of the table's would wrap at its width
    table = Table()
    for number in shown:
        table.add_column(columns[number], overflow="fold")
    for row in found:
        cells = [row[number] for number in shown]
        table.add_row(*(f"[{COLOURS[cell]}]{cell}[/]" if cell in COLOURS else escape(cell) for cell in cells))
    console.print(table)
