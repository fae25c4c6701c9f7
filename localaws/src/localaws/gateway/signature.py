"""Signature Version 4: who claims to have signed a request, and whether they did."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localaws.core.errors import ServiceError

ALGORITHM = "AWS4-HMAC-SHA256"
Environ = Mapping[str, Any]  # WSGI's


@dataclass(frozen=True)
class Signature:
    access_key_id: str
    date: str
    region: str
    signing_name: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    presigned: bool
    session_token: str | None


def read_signature(environ: Environ) -> Signature | None:
    """Return the signature of a request, or None of an unsigned one."""
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if authorization.startswith(ALGORITHM):
        fields = dict(part.strip().split("=", 1) for part in authorization[len(ALGORITHM) :].split(","))
        return _signature(
            credential=fields["Credential"],
            signed_headers=fields["SignedHeaders"],
            signature=fields["Signature"],
            timestamp=environ.get("HTTP_X_AMZ_DATE", ""),
            presigned=False,
            session_token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN"),
        )
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    if query.get("X-Amz-Algorithm") == ALGORITHM:
        _refuse_expired(query["X-Amz-Date"], query.get("X-Amz-Expires", "900"))
        return _signature(
            credential=query["X-Amz-Credential"],
            signed_headers=query["X-Amz-SignedHeaders"],
            signature=query["X-Amz-Signature"],
            timestamp=query["X-Amz-Date"],
            presigned=True,
            session_token=query.get("X-Amz-Security-Token"),
        )
    return None


def _signature(
    *,
    credential: str,
    signed_headers: str,
    signature: str,
    timestamp: str,
    presigned: bool,
    session_token: str | None,
) -> Signature:
    try:
        access_key_id, date, region, signing_name, _ = unquote(credential).split("/")
    except ValueError:
        raise ServiceError(
            "IncompleteSignature",
            f"Credential must be KEY/DATE/REGION/SERVICE/aws4_request, got {credential!r}.",
        ) from None
    return Signature(
        access_key_id,
        date,
        region,
        signing_name,
        tuple(signed_headers.split(";")),
        signature,
        timestamp,
        presigned,
        session_token,
    )


def _refuse_expired(timestamp: str, expires_seconds: str) -> None:
    signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if datetime.now(UTC) > signed_at + timedelta(seconds=int(expires_seconds)):
        raise ServiceError("AccessDenied", "Request has expired", 403)


class _AsSigned:
    """Takes the headers and the payload's hash that the client signed, where botocore would choose its own."""

    def headers_to_sign(self, request: AWSRequest) -> Any:
        return request.headers

    def payload(self, request: AWSRequest) -> str:
        return str(request.context["payload"])


class _Signer(_AsSigned, SigV4Auth):
    pass


class _S3Signer(_AsSigned, S3SigV4Auth):
    """S3 signs the path as it is sent; every other service encodes it once more."""


def signature_matches(signature: Signature, secret_access_key: str, environ: Environ, body: bytes) -> bool:
    path, _, raw_query = str(environ["RAW_URI"]).partition("?")
    query = "&".join(part for part in raw_query.split("&") if not part.startswith("X-Amz-Signature="))
    request = AWSRequest(
        method=environ["REQUEST_METHOD"],
        url=f"http://{environ['HTTP_HOST']}{path}?{query}",
        headers={name: _header(environ, name) for name in signature.signed_headers},
    )
    request.context["timestamp"] = signature.timestamp
    request.context["payload"] = _payload_hash(signature, environ, body)
    kind = _S3Signer if signature.signing_name == "s3" else _Signer
    credentials = Credentials(signature.access_key_id, secret_access_key)
    signer = kind(credentials, signature.signing_name, signature.region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return hmac.compare_digest(signer.signature(text, request), signature.signature)


def _header(environ: Environ, name: str) -> str:
    key = name.upper().replace("-", "_")
    return str(environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", ""))


def _payload_hash(signature: Signature, environ: Environ, body: bytes) -> str:
    declared = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if declared is None:
        if signature.presigned and signature.signing_name == "s3":
            return "UNSIGNED-PAYLOAD"
        return hashlib.sha256(body).hexdigest()
    if declared.startswith(("UNSIGNED-", "STREAMING-")):
        return str(declared)
    actual = hashlib.sha256(body).hexdigest()
    if declared != actual:
        raise ServiceError(
            "XAmzContentSHA256Mismatch",
            f"The 'x-amz-content-sha256' header {declared} does not match the body's {actual}.",
        )
    return actual
