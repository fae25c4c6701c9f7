"""The picture of a verification."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ml_code.figures import WRONG, draw_predictions
from ml_code.spec import ModelSpec
from ml_code.spec.metric_names import CLASSIFICATION
from ml_code.table.frames import encode
from ml_code.verification.invoke import Answers
from ml_code.verification.test_rows import LabelledRows

GRID_ROWS, GRID_COLUMNS = 6, 10
FIGURE_WIDTH, FIGURE_HEIGHT = 12, 9.8  # inches
GRID_WIDTH, GRID_HEIGHT = 0.98, 0.91  # of the figure
# How much higher than wide a panel is on paper; the box in it for the image, which keeps its shape; the room around that.
PANEL_RATIO = (FIGURE_HEIGHT * GRID_HEIGHT / GRID_ROWS) / (FIGURE_WIDTH * GRID_WIDTH / GRID_COLUMNS)
IMAGE_WIDTH, IMAGE_HEIGHT, MARGIN = 0.9, 0.74, 0.025
RIGHT = "#444444"


def draw(
    path: Path, *, spec: ModelSpec, result: dict[str, Any], test_rows: LabelledRows, answers: Answers
) -> None:
    """Draw the figure that fits the task: images where model.yaml says that the features are one."""
    if spec.image and spec.is_classification:
        figure = _images(test_rows, answers, spec.image.shape)
    else:
        figure = draw_predictions(spec.classes, test_rows.truth, answers.predictions, answers.probabilities)
    figure.suptitle(_title(result), fontsize=13)
    figure.savefig(path, dpi=120)


def _title(result: dict[str, Any]) -> str:
    verdict = "passed" if result["passed"] else "FAILED"
    mistakes = f", {len(result['mistakes'])} mistakes" if result["task"] == CLASSIFICATION else ""
    return (
        f"{result['model']} version {result['model_version']} at {result['endpoint']}: "
        f"{result['metric']} {result['value']:.4f}, gate {result['threshold']:g}: {verdict}\n"
        f"{result['n']} held-out rows{mistakes}, commit {result['commit'][:8]}"
    )


def _images(test_rows: LabelledRows, answers: Answers, shape: tuple[int, int]) -> Figure:
    """Mistakes first, then other test_rows, as many as the grid takes."""
    is_wrong = np.asarray(answers.predictions) != np.asarray(test_rows.truth)
    order = np.argsort(~is_wrong, kind="stable")[: GRID_ROWS * GRID_COLUMNS]
    pixels = encode(test_rows.features, test_rows.schema)
    figure = Figure(figsize=(FIGURE_WIDTH, FIGURE_HEIGHT))
    # One for all panels, whose unit is a panel: sixty take more than twice as long to draw.
    axes = figure.add_axes((0.01, 0.005, GRID_WIDTH, GRID_HEIGHT))
    axes.set_axis_off()
    for place, index in enumerate(order):
        confidence = answers.confidences[index] if answers.confidences else None
        label = _label(test_rows.truth[index], answers.predictions[index], confidence)
        row, column = divmod(place, GRID_COLUMNS)
        _image(axes, (column, row), pixels[index].reshape(shape), label, wrong=bool(is_wrong[index]))
    axes.set(xlim=(0, GRID_COLUMNS), ylim=(GRID_ROWS, 0), aspect="auto")
    return figure


def _label(true: Any, predicted: Any, confidence: float | None) -> str:
    sure = "" if confidence is None else f" ({confidence:.0%})"
    return f"true {true}\npredicted {predicted}{sure}"


def _image(
    axes: Axes, corner: tuple[int, int], pixels: NDArray[np.float64], label: str, *, wrong: bool
) -> None:
    """Draw one panel, with its upper left corner there."""
    colour = WRONG if wrong else RIGHT
    height, width = pixels.shape
    scale = min(IMAGE_WIDTH / width, IMAGE_HEIGHT * PANEL_RATIO / height)
    width, height = width * scale, height * scale / PANEL_RATIO
    left, top = corner[0] + (1 - width) / 2, corner[1] + 1 - MARGIN - height
    box = (left, left + width, top + height, top)
    axes.imshow(pixels, cmap="gray_r", interpolation="nearest", extent=box, aspect="auto")
    frame = Rectangle((left, top), width, height, fill=False)
    frame.set(edgecolor=colour, linewidth=2.5 if wrong else 0.6)
    axes.add_patch(frame)
    weight = "bold" if wrong else "normal"
    place = {"x": corner[0] + 0.5, "y": top - MARGIN, "ha": "center", "va": "bottom"}
    axes.text(s=label, fontsize=8, color=colour, fontweight=weight, **place)
