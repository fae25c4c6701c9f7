"""Finds and reads model.yaml, and says in one sentence what is wrong with it."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ml_code.raw_files import RawFileError, files_below
from ml_code.search_space import Choice, ContinuousRange, IntegerRange
from ml_code.spec.columns import ColumnSpec, Constraints, Csv
from ml_code.spec.gate import Gate, Objective
from ml_code.spec.model import ModelSpec
from ml_code.spec.sections import ByColumn, Image, Split, Tuning
from ml_code.yaml_text import YamlError, parse_yaml

MODELS = Path("models")
MODEL_YAML = "model.yaml"
_RANGE_TYPES = "'integer', 'continuous', 'categorical'"
_VALUES = "a number, text, true, false, null, a list of these, or a mapping to these"
_MODELS_BY_FIELD: dict[str | int, type[BaseModel]] = {
    "csv": Csv,
    "target": ColumnSpec,
    "features": ColumnSpec,
    "ignored": ColumnSpec,
    "constraints": Constraints,
    "image": Image,
    "split": Split,
    "by": ByColumn,
    "tuning": Tuning,
    "objective": Objective,
    "gate": Gate,
    "integer": IntegerRange,
    "continuous": ContinuousRange,
    "categorical": Choice,
}
# Fields of several kinds: the kinds that were tried come behind them in an error's location.
_UNIONS = {
    "minimum": "a number or a date",
    "maximum": "a number or a date",
    "enum": "whole numbers, or text",
    "class_weight": "balanced, or a mapping of classes to numbers",
    "decision_threshold": "a number, or a metric",
    "by": "content, target, {group: column}, {time: column} or {time: column, test_from: date or number}",
    "ignored": "names of columns, or columns with a type",
}


class SpecError(ValueError):
    """A wrong model.yaml, in one sentence: field, value, what is allowed."""


def model_folders(project: Path = Path()) -> list[Path]:
    """The folders below models/ that hold a model.yaml."""
    return sorted(path.parent for path in (project / MODELS).glob(f"*/{MODEL_YAML}"))


def find_model(project: Path = Path(), name: str = "") -> Path:
    """The folder of the named model; without a name, of the only one."""
    found = model_folders(project)
    names = ", ".join(folder.name for folder in found) or "none"
    if name and name not in [folder.name for folder in found]:
        raise SpecError(f"{MODELS}/{name}/{MODEL_YAML} does not exist; there are: {names}")
    if not name and len(found) != 1:
        raise SpecError(
            f"{MODELS}/*/{MODEL_YAML}: found {len(found)} ({names}); allowed: one, or the name of one, MODEL=<name>"
        )
    return project / MODELS / name if name else found[0]


def load_specs(project: Path = Path()) -> list[ModelSpec]:
    """Each model of the project, by name: the one of its folder."""
    folders = model_folders(project)
    if not folders:
        raise SpecError(f"{MODELS}/*/{MODEL_YAML}: found none; make model-init drafts one of your data")
    specs = []
    for folder in folders:
        spec = load_spec(folder / MODEL_YAML)
        if spec.name != folder.name:
            raise SpecError(
                f"{folder / MODEL_YAML}: name is {spec.name!r}; allowed: that of its folder, {folder.name!r}"
            )
        specs.append(spec)
    return specs


def sample_data(project: Path = Path(), name: str = "") -> dict[str, Path]:
    """The files of the model's data/, which train the first version, by their path in there."""
    folder = find_model(project, name) / "data"
    try:
        return {name: folder / name for name in files_below(folder).data}
    except RawFileError as error:
        raise SpecError(f"{folder}: {error}") from None


def load_spec(path: Path | None = None, name: str = "") -> ModelSpec:
    """The model.yaml at `path`, by default that of the named or only model in the working directory."""
    path = path or find_model(name=name) / MODEL_YAML
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path} is not text in UTF-8 ({error.reason}): save it in UTF-8") from error
    return parse_spec(text, source=path.name)


def parse_spec(text: str, *, source: str = MODEL_YAML) -> ModelSpec:
    return _validated(_document(text, source), source)


def parse_released_spec(text: str, *, source: str) -> ModelSpec:
    """Parse a released version's model.yaml, also of the form before columns had `constraints`."""
    document = _document(text, source)
    for column in (document.get("target"), *(document.get("features") or ())):
        if isinstance(column, dict) and "constraints" not in column and "type" in column:
            limits = {name: column.pop(name) for name in ("minimum", "maximum") if name in column}
            column["constraints"] = {"required": True, **limits}
    return _validated(document, source)


def _document(text: str, source: str) -> dict[Any, Any]:
    try:
        document = parse_yaml(text)
    except YamlError as error:
        raise SpecError(f"{source} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise SpecError(f"{source} holds {type(document).__name__}; allowed: a mapping of fields")
    return document


def _validated(document: dict[Any, Any], source: str) -> ModelSpec:
    try:
        return ModelSpec.model_validate(document)
    except ValidationError as error:
        raise SpecError(f"{source}: {_sentence(error)}") from None


def _sentence(error: ValidationError) -> str:
    """The first fault; the others show when it is mended."""
    faults: list[Any] = error.errors(include_url=False)
    fault, (location, allowed) = faults[0], _value_location(faults[0])
    if allowed:  # of the types that were tried, ours says what is wrong
        beside = [each for each in faults if each["loc"][: len(location)] == location]
        fault = next((each for each in beside if each["type"] == "value_error"), fault)
    field, context = ".".join(str(part) for part in location), fault.get("ctx", {})
    if fault["type"] == "value_error":
        return f"{field}: {context['error']}" if field else str(context["error"])
    if fault["type"] == "extra_forbidden":
        return f"{field} = {fault['input']!r} is no field; allowed: {', '.join(_fields_beside(fault['loc']))}"
    if fault["type"] == "missing":
        return f"{field} is missing; give it a value"
    if fault["type"].startswith("union_tag_"):
        return (
            f"{field}.type is {context.get('tag')!r}; allowed: {context.get('expected_tags', _RANGE_TYPES)}"
        )
    if fault["type"] == "string_pattern_mismatch":
        return f"{field} is {fault['input']!r}; allowed: text like {context['pattern']}"
    return (
        f"{field} is {fault['input']!r}; allowed: {allowed or fault['msg'].removeprefix('Input should be ')}"
    )


def _value_location(fault: Any) -> tuple[tuple[str | int, ...], str]:
    """The place of the value, without the types that were tried for it; and the allowed ones of several types."""
    location = fault["loc"]
    if location[:1] == ("hyperparameters",) and len(location) > 1:
        return location[:2], _VALUES
    if "values" in location:
        return location[: location.index("values") + 2], _VALUES
    if fault["type"] in ("extra_forbidden", "missing", "value_error"):
        kept = tuple(part for part in location if part not in ("ColumnSpec", "ByColumn"))
        return kept, ""
    for name, allowed in _UNIONS.items():
        if name in location[:-1]:
            end = location.index(name) + 1
            if end < len(location) and isinstance(location[end], int):
                end += 1
            return location[:end], allowed
    return location, ""


def _fields_beside(location: tuple[str | int, ...]) -> list[str]:
    parents = [_MODELS_BY_FIELD[part] for part in location[:-1] if part in _MODELS_BY_FIELD]
    return list((parents[-1] if parents else ModelSpec).model_fields)
