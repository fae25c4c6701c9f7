"""The project's model as the end-to-end tests need it: its name, its rows, small changes to it. They hold for any model."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ml_code.raw_files import open_utf8
from ml_code.spec import MODEL_YAML, find_model, load_spec, sample_data

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = find_model(PROJECT).relative_to(PROJECT)
SPEC = load_spec(PROJECT / FOLDER / MODEL_YAML)
MODEL = SPEC.name
FEATURES = SPEC.request_schema().names
# Not any column: a word in it must be a mistake.
NUMBER = next(column.name for column in SPEC.request_schema().columns if column.type in ("number", "integer"))

OUT_OF_REACH = 0.0001 if SPEC.gate.is_minimized else 0.9999
"""A gate's threshold that no model passes."""


def sample_rows(project: Path = PROJECT) -> list[dict[str, str]]:
    """All rows of the sample data, the truth among them, in the order of the files."""
    rows: list[dict[str, str]] = []
    for path in sample_data(project).values():
        with open_utf8(path) as file:
            rows += csv.DictReader(io.StringIO(file.read(1 << 30).decode(), newline=""))
    return rows


def requests(rows: list[dict[str, str]]) -> list[str]:
    """The rows as lines of CSV that an endpoint of this project's model takes."""
    return [",".join(row[name] for name in FEATURES) for row in rows]


def change_model(project: Path, changes: Mapping[str, Any], model: str = "") -> None:
    """Set fields of the model.yaml of the named or only model by their paths, such as `gate.threshold`."""
    path = find_model(project, model) / MODEL_YAML
    yaml = YAML()
    document = yaml.load(path)
    for name, value in changes.items():
        *sections, field = name.split(".")
        section = document
        for each in sections:
            section = section[each]
        section[field] = value
    yaml.dump(document, path)
