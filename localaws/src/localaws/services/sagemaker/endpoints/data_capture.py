"""Data capture: requests and answers of an endpoint, written to S3 with the rights of the model's execution role.

Layout and lines as in https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import json
import logging
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.identity import Credentials
from localaws.services.sagemaker.jobs.storage import split_uri

LOG = logging.getLogger("localaws.sagemaker")
DELIVERY_SECONDS = 60.0  # of AWS: "a couple of minutes" at most
INPUT_MODES = ("Input", "InputAndOutput")
OUTPUT_MODES = ("Output", "InputAndOutput")


class DataCapture:
    """The captured records or metrics of one variant."""

    def __init__(
        self,
        account: Account,
        credentials: Credentials,
        config: Json,
        *,
        endpoint: str,
        variant: str,
        on_error: Callable[[str], None],
    ) -> None:
        self._s3 = account.client("s3", credentials)
        self._config = config
        self._place = f"{endpoint}/{variant}"
        self._on_error = on_error
        self._modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._ended = threading.Event()
        interval = account.clock.seconds(DELIVERY_SECONDS)
        threading.Thread(target=self._deliver_regularly, args=(interval,), daemon=True).start()

    def take(self, request: Json, body: bytes, content_type: str) -> None:
        """One request and its answer, if it is one of the sample."""
        if random.random() * 100 >= self._config["InitialSamplingPercentage"]:  # noqa: S311
            return
        data: Json = {}
        if self._modes & set(INPUT_MODES):
            given = request.get("ContentType", "application/json")
            data["endpointInput"] = self._part("INPUT", request.get("Body", b""), given)
        if self._modes & set(OUTPUT_MODES):
            data["endpointOutput"] = self._part("OUTPUT", body, content_type)
        metadata: Json = {"eventId": str(uuid4()), "inferenceTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        if "InferenceId" in request:
            metadata["inferenceId"] = request["InferenceId"]
        if "CustomAttributes" in request:
            metadata["customAttributes"] = [request["CustomAttributes"]]
        line = json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"})
        with self._lock:
            self._lines.append(line)

    def deliver(self) -> None:
        """Write the captured records to one object; a failure is logged, and loses them but no request."""
        with self._lock:
            lines, self._lines = self._lines, []
        if not lines:
            return
        bucket, prefix = split_uri(self._config["DestinationS3Uri"])
        moment = datetime.now(UTC)
        name = f"{moment:%M-%S}-{moment.microsecond // 1000:03}-{uuid4()}.jsonl"
        key = "/".join(filter(None, [prefix.rstrip("/"), self._place, f"{moment:%Y/%m/%d/%H}", name]))
        encryption = {}
        if key_id := self._config.get("KmsKeyId"):
            encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}
        try:
            body = "".join(f"{line}\n" for line in lines).encode()
            self._s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption)
        except (ClientError, BotoCoreError) as error:
            message = f"Data capture of {self._place} lost {len(lines)} records: {error}"
            LOG.error(message)
            self._on_error(message)

    def close(self) -> None:
        """Deliver no more."""
        self._ended.set()

    def _deliver_regularly(self, interval_seconds: float) -> None:
        while not self._ended.wait(interval_seconds):
            self.deliver()

    def _part(self, mode: str, body: bytes, content_type: str) -> Json:
        kind = self._encoding(content_type)
        data = base64.b64encode(body).decode() if kind == "BASE64" else body.decode(errors="replace")
        return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": kind}

    def _encoding(self, content_type: str) -> str:
        header = self._config.get("CaptureContentTypeHeader", {})
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type in map(str.lower, header.get("CsvContentTypes", [])):
            return "CSV"
        return "JSON" if media_type in map(str.lower, header.get("JsonContentTypes", [])) else "BASE64"


def is_enabled(config: Json | None) -> bool:
    return config is not None and bool(config.get("EnableCapture", True))


def summary(config: Json) -> Json:
    """DataCaptureConfig of DescribeEndpoint."""
    enabled = is_enabled(config)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }
