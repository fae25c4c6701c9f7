"""The picture of one comparison."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ml_code.table.columns import DATES, Column, Schema

SHOWN_FEATURES = 12
SHOWN_DISTRIBUTIONS = 3
BINS = 20
LABELS = ("training", "live")


def draw(
    report: dict[str, Any], schema: Schema, training: NDArray[np.float64], live: NDArray[np.float64]
) -> Figure:
    """Draw the most different features by their statistic, and the distributions of the first few."""
    shown = report["features"][:SHOWN_FEATURES]
    figure = Figure(figsize=(9, 6), layout="constrained")
    grid = figure.add_gridspec(2, SHOWN_DISTRIBUTIONS)
    axes = figure.add_subplot(grid[0, :])
    colors = ["tab:red" if feature["has_drifted"] else "tab:gray" for feature in shown]
    axes.bar(
        [feature["name"] for feature in shown], [feature["statistic"] for feature in shown], color=colors
    )
    axes.axhline(report["smallest_statistic"], color="black", linewidth=0.8, linestyle="--")
    axes.tick_params(axis="x", labelrotation=30)
    verdict = ", ".join(report["drifted"][:SHOWN_FEATURES]) or "none"
    axes.set(
        ylabel="KS statistic", title=f"{report['endpoint']}, {report['window']['end']}: drifted {verdict}"
    )
    for position, feature in enumerate(shown[:SHOWN_DISTRIBUTIONS]):
        axes = figure.add_subplot(grid[1, position])
        column = schema.columns[feature["column"]]
        columns = [values[:, feature["column"]] for values in (training, live)]
        (_draw_categories if column.is_category else _draw_numbers)(axes, column, columns)
        axes.set(title=feature["name"], ylabel="share of rows")
        axes.legend()
    return figure


def _draw_numbers(axes: Axes, column: Column, columns: Sequence[NDArray[np.float64]]) -> None:
    known = [values[~np.isnan(values)] for values in columns]
    bins = np.histogram_bin_edges(np.concatenate(known), BINS)
    is_date = column.type in DATES
    for values, everything, label in zip(known, columns, LABELS, strict=True):
        shown = values.astype("datetime64[s]") if is_date else values
        edges: Any = bins.astype("datetime64[s]") if is_date else bins.tolist()
        gaps = 1 - len(values) / len(everything)
        text = f"{label}, {gaps:.0%} missing" if gaps else label
        axes.hist(shown, edges, weights=np.full(len(values), 1 / len(everything)), alpha=0.5, label=text)
    if is_date:
        axes.tick_params(axis="x", labelrotation=30)


def _draw_categories(axes: Axes, column: Column, columns: Sequence[NDArray[np.float64]]) -> None:
    """The most frequent ones; those that the model does not know are one of their own."""
    names = [*map(str, column.enum), "unknown", "missing"]
    codes = [np.where(np.isnan(values), len(column.enum) + 1, values).astype(int) for values in columns]
    shares = [np.bincount(found, minlength=len(names)) / len(found) for found in codes]
    total = shares[0] + shares[1]
    order = np.argsort(-total, kind="stable")[:BINS]
    shown = [code for code in order if total[code] > 0]
    places = np.arange(len(shown))
    for offset, share, label in zip((-0.2, 0.2), shares, LABELS, strict=True):
        axes.bar(places + offset, [share[code] for code in shown], width=0.4, alpha=0.7, label=label)
    axes.set_xticks(places, [names[code] for code in shown], rotation=60, ha="right")
