"""sagemaker_sklearn_container.serving of the image, which no package index has: the image's default serving module.

It answers with the functions of the module that SAGEMAKER_PROGRAM names, by AWS's real sagemaker_containers. This file
is copied into the image's environment and imports what is there.
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from sagemaker_containers.beta.framework import content_types, encoders, env, transformer, worker

_app: Any = None


def main(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    """The WSGI app; made at the first request, as in the image."""
    global _app
    if _app is None:
        name = env.ServingEnv().module_name
        _app = _worker(importlib.import_module(name), name)
    return _app(environ, start_response)


def _worker(module: ModuleType, name: str) -> Any:
    parts = {part: getattr(module, part, None) for part in ("input_fn", "predict_fn", "output_fn")}
    functions: dict[str, Any] = {"model_fn": getattr(module, "model_fn", transformer.default_model_fn)}
    if whole := getattr(module, "transform_fn", None):
        functions |= {"transform_fn": whole, **{part: given for part, given in parts.items() if given}}
    else:
        functions |= {part: given or _DEFAULTS[part] for part, given in parts.items()}
    made = transformer.Transformer(**functions)
    made.initialize()
    extra = getattr(module, "execution_parameters_fn", None)
    return worker.Worker(transform_fn=made.transform, module_name=name, execution_parameters_fn=extra)


def _read(content: Any, content_type: str) -> Any:
    array = encoders.decode(content, content_type)
    return array.astype(np.float32) if content_type in content_types.UTF8_TYPES else array


def _predict(data: Any, model: Any) -> Any:
    return model.predict(data)


def _write(prediction: Any, accept: str) -> Any:
    return worker.Response(encoders.encode(prediction, accept), mimetype=accept)


_DEFAULTS: dict[str, Callable[..., Any]] = {"input_fn": _read, "predict_fn": _predict, "output_fn": _write}
