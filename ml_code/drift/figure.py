"""The picture of one comparison."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

SHOWN_FEATURES = 12
SHOWN_DISTRIBUTIONS = 3
BINS = 20


def draw(report: dict[str, Any], training: NDArray[np.float64], live: NDArray[np.float64]) -> Figure:
    """The most different features by their statistic, and the distributions of the first few."""
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
        columns = [values[:, feature["column"]] for values in (training, live)]
        bins = np.histogram_bin_edges(np.concatenate(columns), BINS).tolist()
        for values, label in zip(columns, ("training", "live"), strict=True):
            axes.hist(values, bins, weights=np.full(len(values), 1 / len(values)), alpha=0.5, label=label)
        axes.set(title=feature["name"], ylabel="share of rows")
        axes.legend()
    return figure
