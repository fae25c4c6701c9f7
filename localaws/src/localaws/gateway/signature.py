"""Signature Version 4: who claims to have signed a request, and whether they did."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from botocore.utils import normalize_url_path

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
    """None for a request that is not signed at all."""
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


def signature_matches(signature: Signature, secret_access_key: str, environ: Environ, body: bytes) -> bool:
    scope = f"{signature.date}/{signature.region}/{signature.signing_name}/aws4_request"
    canonical = hashlib.sha256(_canonical_request(signature, environ, body).encode()).hexdigest()
    text = f"{ALGORITHM}\n{signature.timestamp}\n{scope}\n{canonical}"
    key = f"AWS4{secret_access_key}".encode()
    for part in (signature.date, signature.region, signature.signing_name, "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(key.hex(), signature.signature)


def _canonical_request(signature: Signature, environ: Environ, body: bytes) -> str:
    raw_path, _, raw_query = str(environ["RAW_URI"]).partition("?")
    # S3 signs the path as it is sent; every other service encodes it once more.
    path = raw_path if signature.signing_name == "s3" else quote(normalize_url_path(raw_path), safe="/~")
    pairs = sorted(part.partition("=")[::2] for part in raw_query.split("&") if part)
    query = "&".join(f"{name}={value}" for name, value in pairs if name != "X-Amz-Signature")
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in signature.signed_headers)
    return "\n".join(
        [
            environ["REQUEST_METHOD"],
            path or "/",
            query,
            headers,
            ";".join(signature.signed_headers),
            _payload_hash(signature, environ, body),
        ]
    )


def _header(environ: Environ, name: str) -> str:
    key = name.upper().replace("-", "_")
    value = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", "")
    return " ".join(str(value).split())


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
