"""Errors as a service answers them."""

from typing import Any

Json = dict[str, Any]


class ServiceError(Exception):
    """An error as the service answers it: `code` is the API's error code, `details` its further members."""

    def __init__(self, code: str, message: str, status: int = 400, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.details = details or {}


def validation_error(message: str) -> ServiceError:
    return ServiceError("ValidationError", message)
