"""The WSGI app of an endpoint: GET /ping and POST /invocations.

A transform job may ask for /execution-parameters, too; a container need not have them, and the image's toolkit has none either.
"""

from collections.abc import Iterable
from typing import Any

from werkzeug.wrappers import Response

from ml_code.inference.handler import ServedModel, refusal, transform_fn
from ml_code.inference.requests import JSON, MAX_BODY_BYTES, RequestError, check_byte_count


def create_app(model: ServedModel) -> Any:
    """Return the app. It needs no framework: for one row that would take longer than the prediction."""

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
    try:
        content = _body(environ)
    except RequestError as error:
        return refusal(error.status, str(error))
    return transform_fn(model, content, content_type, environ.get("HTTP_ACCEPT", "*/*"))


def _body(environ: dict[str, Any]) -> bytes:
    stream = environ["wsgi.input"]
    length = int(environ.get("CONTENT_LENGTH") or 0)
    check_byte_count(length)
    try:
        if length:
            # gunicorn's stream copies one KiB at a time; its reader, below it, returns all at once.
            content: bytes = getattr(stream, "reader", stream).read(length)
        else:
            # Sent in chunks, or nothing: a server that does not end the stream itself would wait for more.
            content = stream.read(MAX_BODY_BYTES + 1) if environ.get("wsgi.input_terminated") else b""
    except OSError as error:  # gunicorn's, of a damaged chunk, are such, too
        raise RequestError(400, f"the body cannot be read: {error}") from error
    if len(content) < length:
        raise RequestError(
            400, f"the body has {len(content):,} bytes, and Content-Length says {length:,}; send all of it"
        )
    return content
