"""The server inside the scikit-learn image where the image's environment cannot be had: GET /ping, POST /invocations.

A program of its own, which imports nothing of the local AWS. SAGEMAKER_SERVING_MODULE names the app, as for the image; the
default is what the image's sagemaker_sklearn_container.serving does with sagemaker_containers' transformer and worker:
model_fn, then transform_fn or input_fn, predict_fn and output_fn of the user's module.
"""

import csv
import importlib
import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any

import flask
import numpy as np
from werkzeug.serving import WSGIRequestHandler, make_server

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
TEXT_TYPES = (JSON, CSV)
DEFAULT_MODULE = "sagemaker_sklearn_container.serving:main"

Function = Callable[..., Any]


class UnsupportedFormatError(Exception):
    """The default functions know JSON, CSV and NPY only."""


def main() -> None:
    # The folder of this file is no part of the image.
    sys.path.pop(0)
    module_name, _, attribute = os.environ.get("SAGEMAKER_SERVING_MODULE", DEFAULT_MODULE).partition(":")
    if f"{module_name}:{attribute}" == DEFAULT_MODULE:
        app: Any = _script_app(Path(os.environ["SAGEMAKER_BASE_DIR"]))
    else:
        _offer_toolkit()
        app = getattr(importlib.import_module(module_name), attribute)
    port = int(os.environ["SAGEMAKER_BIND_TO_PORT"])
    make_server("127.0.0.1", port, app, threaded=True, request_handler=RequestHandler).serve_forever()


def _script_app(root: Path) -> flask.Flask:
    """The app that the image's default serving module makes of SAGEMAKER_PROGRAM's module."""
    code = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", str(root / "code"))
    sys.path.insert(0, code)
    _install_requirements(Path(code))
    module = importlib.import_module(os.environ["SAGEMAKER_PROGRAM"].removesuffix(".py"))
    model_fn = getattr(module, "model_fn", None)
    if model_fn is None:
        raise NotImplementedError("Please provide a model_fn implementation.")
    return create_app(transform_function(module), model_fn(str(root / "model")))


class Transformer:
    """sagemaker_containers' of the same name, as far as a serving module of a model archive uses it."""

    def __init__(self, *, model_fn: Function, transform_fn: Function) -> None:
        self._model_fn = model_fn
        self._transform_fn = transform_fn
        self._model: Any = None

    def initialize(self) -> None:
        self._model = self._model_fn(str(Path(os.environ["SAGEMAKER_BASE_DIR"], "model")))

    def transform(self, content: Any, content_type: str, accept: str) -> Any:
        return self._transform_fn(self._model, content, content_type, accept)


def _worker(*, transform_fn: Function, module_name: str) -> flask.Flask:  # noqa: ARG001 - the toolkit's signature
    return create_app(lambda _, *request: transform_fn(*request), None)


def _offer_toolkit() -> None:
    """Make sagemaker_containers.beta.framework importable, which only the image's environment has."""
    toolkit: dict[str, dict[str, Any]] = {
        "sagemaker_containers": {},
        "sagemaker_containers.beta": {},
        "sagemaker_containers.beta.framework": {},
        "sagemaker_containers.beta.framework.transformer": {"Transformer": Transformer},
        "sagemaker_containers.beta.framework.worker": {"Worker": _worker},
    }
    for name, members in toolkit.items():
        module = sys.modules[name] = ModuleType(name)
        vars(module).update(members)
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, module)


def create_app(transform: Function, model: Any) -> flask.Flask:
    app = flask.Flask("serving")
    default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)

    @app.get("/ping")
    def ping() -> flask.Response:
        return flask.Response(status=HTTPStatus.OK, mimetype=JSON)

    @app.post("/invocations")
    def invocations() -> Any:
        request = flask.request
        content_type = request.headers.get("ContentType") or request.headers.get("Content-Type") or JSON
        accept = request.headers.get("Accept")
        if not accept or accept == "*/*":
            accept = default_accept
        content: str | bytes = request.get_data()
        if content_type in TEXT_TYPES:
            content = request.get_data(as_text=True)
        result = transform(model, content, content_type, accept)
        if isinstance(result, tuple):
            return flask.Response(response=result[0], mimetype=result[1])
        return result

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Any:
        if hasattr(error, "get_response"):  # 404, 405
            return error.get_response()
        traceback.print_exception(error)
        page = (
            "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n"
            "<h1>Internal Server Error</h1>\n<p>The server encountered an internal error and was unable to "
            "complete your request. Either the server is overloaded or there is an error in the "
            "application.</p>\n"
        )
        return flask.Response(page, status=HTTPStatus.INTERNAL_SERVER_ERROR, mimetype="text/html")

    return app


def transform_function(module: ModuleType) -> Function:
    """transform_fn(model, content, content_type, accept) of the user's module, or one made of its parts."""
    names = ("input_fn", "predict_fn", "output_fn")
    given: dict[str, Function] = {name: getattr(module, name) for name in names if hasattr(module, name)}
    whole: Function | None = getattr(module, "transform_fn", None)
    if whole is not None:
        if given:
            raise ValueError(
                "Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn"
            )
        return whole
    read: Function = given.get("input_fn", default_input_fn)
    predict: Function = given.get("predict_fn", lambda data, model: model.predict(data))
    write: Function = given.get("output_fn", default_output_fn)

    def transform(model: Any, content: Any, content_type: str, accept: str) -> Any:
        try:
            data = read(content, content_type)
        except UnsupportedFormatError as error:
            return _error_response(error, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        prediction = predict(data, model)
        try:
            return write(prediction, accept)
        except UnsupportedFormatError as error:
            return _error_response(error, HTTPStatus.NOT_ACCEPTABLE)

    return transform


def default_input_fn(content: Any, content_type: str) -> Any:
    if content_type == JSON:
        return np.array(json.loads(content)).astype(np.float32)
    if content_type == CSV:
        rows = list(csv.reader(io.StringIO(content), strict=True))
        return np.array(rows).squeeze().astype(np.float32)
    if content_type == NPY:
        return np.load(io.BytesIO(content), allow_pickle=False)
    raise UnsupportedFormatError(f"Content type {content_type} is not supported by this framework.")


def default_output_fn(prediction: Any, accept: str) -> flask.Response:
    if accept == JSON:
        body: str | bytes = json.dumps(prediction, default=lambda value: value.tolist())
    elif accept == CSV:
        array = np.array(prediction)
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows(array.reshape(-1, 1) if array.ndim == 1 else array)
        body = stream.getvalue()
    elif accept == NPY:
        buffer = io.BytesIO()
        np.save(buffer, prediction)
        body = buffer.getvalue()
    else:
        raise UnsupportedFormatError(f"Content type {accept} is not supported by this framework.")
    return flask.Response(body, mimetype=accept)


class RequestHandler(WSGIRequestHandler):
    """Keeps connections open, and sends small answers at once."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", _size: int | str = "-") -> None:
        if self.path != "/ping":
            print(f'127.0.0.1 - - "{self.requestline}" {code}', flush=True)


def _error_response(error: Exception, status: HTTPStatus) -> flask.Response:
    body = {
        "error": type(error).__name__,
        "error-message": str(error),
        "stack-trace": "".join(traceback.format_exception(error)),
    }
    return flask.Response(json.dumps(body), status=status, mimetype=JSON)


def _install_requirements(code: Path) -> None:
    if (code / "requirements.txt").is_file():
        command = [sys.executable, "-m", "pip", "install", "-r", "requirements.txt"]
        subprocess.run(command, cwd=code, check=True)


if __name__ == "__main__":
    main()
