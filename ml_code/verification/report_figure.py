"""The picture of a verification."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ml_code.verification.invoke import Answers
from ml_code.verification.test_rows import LabelledRows

GRID_ROWS, GRID_COLUMNS = 6, 10
RIGHT, WRONG = "#444444", "#d62728"
_PIXEL_NAME = re.compile(r".*_(\d+)_(\d+)")


def draw(path: Path, *, result: dict[str, Any], test_rows: LabelledRows, answers: Answers) -> None:
    shape = image_shape([str(name) for name in test_rows.features.columns])
    if shape is None:
        figure = _confusion_matrix(test_rows.truth, answers.predictions)
    else:
        figure = _images(test_rows, answers, shape)
    figure.suptitle(_title(result), fontsize=13)
    figure.savefig(path, dpi=120)


def image_shape(names: Sequence[str]) -> tuple[int, int] | None:
    """Height and width when the columns are the pixels of an image, row by row (`pixel_0_0`, `pixel_0_1`)."""
    matches = [_PIXEL_NAME.fullmatch(name) for name in names]
    places = [(int(match[1]), int(match[2])) for match in matches if match is not None]
    if len(places) != len(names) or not places:
        return None
    height, width = (max(numbers) + 1 for numbers in zip(*places, strict=True))
    return (height, width) if places == [(i, j) for i in range(height) for j in range(width)] else None


def _title(result: dict[str, Any]) -> str:
    verdict = "passed" if result["passed"] else "FAILED"
    return (
        f"{result['model']} version {result['model_version']} at {result['endpoint']}: "
        f"{result['metric']} {result['value']:.4f}, gate {result['threshold']:g}: {verdict}\n"
        f"{result['n']} held-out rows, {len(result['mistakes'])} mistakes, commit {result['commit'][:8]}"
    )


def _images(test_rows: LabelledRows, answers: Answers, shape: tuple[int, int]) -> Figure:
    """Mistakes first, then other test_rows, as many as the grid takes."""
    is_wrong = np.asarray(answers.predictions) != test_rows.truth
    order = np.argsort(~is_wrong, kind="stable")[: GRID_ROWS * GRID_COLUMNS]
    pixels = test_rows.features.to_numpy(dtype=float)
    figure = Figure(figsize=(12, 9.8))
    axes = figure.subplots(GRID_ROWS, GRID_COLUMNS)
    # Given, because a layout engine would draw sixty panels several times to find it.
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.89, wspace=0.1, hspace=0.38)
    for panel in axes.flat:
        panel.set_axis_off()
    for panel, index in zip(axes.flat, order, strict=False):
        panel.set_axis_on()
        confidence = answers.confidences[index] if answers.confidences else None
        label = _label(test_rows.truth[index], answers.predictions[index], confidence)
        _image(panel, pixels[index].reshape(shape), label, wrong=bool(is_wrong[index]))
    return figure


def _label(true: Any, predicted: Any, confidence: float | None) -> str:
    sure = "" if confidence is None else f" ({confidence:.0%})"
    return f"true {true}\npredicted {predicted}{sure}"


def _image(panel: Axes, pixels: NDArray[np.float64], label: str, *, wrong: bool) -> None:
    colour = WRONG if wrong else RIGHT
    panel.imshow(pixels, cmap="gray_r", interpolation="nearest")
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_title(label, fontsize=8, color=colour, fontweight="bold" if wrong else "normal")
    for spine in panel.spines.values():
        spine.set_color(colour)
        spine.set_linewidth(2.5 if wrong else 0.6)


def _confusion_matrix(truth: NDArray[Any], predictions: list[Any]) -> Figure:
    labels = sorted({*truth.tolist(), *predictions})
    position = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    for true, predicted in zip(truth.tolist(), predictions, strict=True):
        counts[position[true], position[predicted]] += 1
    side = max(5.0, 0.6 * len(labels) + 2)
    figure = Figure(figsize=(max(side + 2, 9.0), side), layout="constrained")
    panel = figure.subplots()
    panel.imshow(counts, cmap="Blues")
    panel.set_xticks(range(len(labels)), [str(label) for label in labels])
    panel.set_yticks(range(len(labels)), [str(label) for label in labels])
    panel.set_xlabel("predicted")
    panel.set_ylabel("true")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = WRONG if row != column else "white" if count > counts.max() / 2 else "black"
            panel.text(column, row, str(count), ha="center", va="center", color=colour)
    return figure
