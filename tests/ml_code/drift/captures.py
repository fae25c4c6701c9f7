"""Captured requests as SageMaker writes them, for tests."""

import base64
import json
from typing import Any

ANSWER = '{"predictions": [1], "model_version": "1"}'


def captured(
    data: str | bytes,
    content_type: str = "text/csv",
    *,
    encoding: str | None = None,
    answer: str | None = ANSWER,
    inference_id: str | None = None,
) -> bytes:
    """One line; text is kept as it is, bytes in base64."""
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    plain = "JSON" if "json" in content_type else "CSV"
    found = encoding or (plain if isinstance(data, str) else "BASE64")
    capture: dict[str, Any] = {
        "endpointInput": {
            "observedContentType": content_type,
            "mode": "INPUT",
            "data": text,
            "encoding": found,
        }
    }
    if answer is not None:
        capture["endpointOutput"] = {
            "observedContentType": "application/json",
            "mode": "OUTPUT",
            "data": answer,
            "encoding": "JSON",
        }
    metadata = {"eventId": "8d1f", "inferenceTime": "2026-11-24T12:00:00Z"}
    if inference_id:
        metadata["inferenceId"] = inference_id
    document = {"captureData": capture, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(document).encode() + b"\n"
