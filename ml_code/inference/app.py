"""The WSGI app of an endpoint: GET /ping and POST /invocations, the two requests that SageMaker makes of a container."""

from collections.abc import Iterable
from typing import Any

from werkzeug.wrappers import Response

from ml_code.inference.handler import ServedModel, transform_fn
from ml_code.inference.requests import JSON


def create_app(model: ServedModel) -> Any:
    """Return the app, without a framework: for one row that takes longer than the prediction."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return _answer(model, environ)(environ, start_response)

    return app


def _answer(model: ServedModel, environ: dict[str, Any]) -> Response:
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path == "/ping":
        return Response(mimetype=JSON)
    if path != "/invocations":
        return Response(status=404)
    if method != "POST":
        return Response(status=405, headers={"Allow": "POST"})
    content_type = environ.get("CONTENT_TYPE") or JSON
    return transform_fn(model, _body(environ), content_type, environ.get("HTTP_ACCEPT", "*/*"))


def _body(environ: dict[str, Any]) -> bytes:
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        # gunicorn's stream copies one KiB at a time; its reader, below it, returns all at once.
        found: bytes = getattr(stream, "reader", stream).read(int(length))
        return found
    # Sent in chunks; a server that does not end the stream itself would wait for more.
    return stream.read() if environ.get("wsgi.input_terminated") else b""
