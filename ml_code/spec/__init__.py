"""model.yaml, typed: what is wrong in it is refused in one sentence."""

from ml_code.spec.columns import ColumnSpec, Csv
from ml_code.spec.gate import Gate, Objective
from ml_code.spec.metric_names import METRICS, MetricKind
from ml_code.spec.model import RESERVED, RESERVED_PREFIXES, ModelSpec
from ml_code.spec.reading import (
    MODEL_YAML,
    MODELS,
    SpecError,
    find_model,
    load_spec,
    load_specs,
    model_folders,
    parse_released_spec,
    parse_spec,
    sample_data,
)
from ml_code.spec.sections import Split, Tuning

__all__ = [
    "METRICS",
    "MODELS",
    "MODEL_YAML",
    "RESERVED",
    "RESERVED_PREFIXES",
    "ColumnSpec",
    "Csv",
    "Gate",
    "MetricKind",
    "ModelSpec",
    "Objective",
    "SpecError",
    "Split",
    "Tuning",
    "find_model",
    "load_spec",
    "load_specs",
    "model_folders",
    "parse_released_spec",
    "parse_spec",
    "sample_data",
]
