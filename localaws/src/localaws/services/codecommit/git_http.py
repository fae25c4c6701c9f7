"""CodeCommit's git front: `git http-backend` behind CodeCommit's own way to sign in."""

import base64
import hmac
import logging
import re
import subprocess
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.services.codecommit.git import git_environment, references
from localaws.services.codecommit.git_credential import git_password
from localaws.services.codecommit.service import CodeCommit
from localaws.services.iam.authorization import Principal, authorize, find_principal

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
PREFIX = "/v1/repos/"
LOG = logging.getLogger("localaws.codecommit")
_SIGNATURE_LIFETIME = timedelta(minutes=15)


class GitApplication:
    """A WSGI application for the path /v1/repos/<name>: clone, fetch, push."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self._answer(environ, start_response)
        except ServiceError as error:
            LOG.info("%s %s: %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], error.message)
            headers = [("Content-Type", "text/plain; charset=utf-8")]
            if error.status == 401:
                headers.append(("WWW-Authenticate", 'Basic realm="CodeCommit"'))
            start_response(f"{error.status} {error.code}", headers)
            return [f"{error.message}\n".encode()]

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        name, _, operation = environ["PATH_INFO"].removeprefix(PREFIX).partition("/")
        pushes = "git-receive-pack" in (operation, environ.get("QUERY_STRING", "").removeprefix("service="))
        principal = self._authenticate(environ, f"{PREFIX}{name}")
        action = "codecommit:GitPush" if pushes else "codecommit:GitPull"
        authorize(principal, action, self._account.arn("codecommit", name))
        service = self._account.services["codecommit"]
        assert isinstance(service, CodeCommit)
        try:
            repository = service.path(name)
        except ServiceError as error:
            raise ServiceError("NotFound", error.message, 404) from error
        command = {
            **git_environment(),
            "GIT_PROJECT_ROOT": str(repository.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{repository.name}/{operation}",
            "REMOTE_USER": principal.caller.access_key_id,  # without a user http-backend refuses pushes
            **_request_variables(environ),
        }
        body = _read(environ)
        if operation != "git-receive-pack":
            return _run_backend(command, body, start_response)
        with service.lock(name):
            before = references(repository)
            answer = _run_backend(command, body, start_response)
            after = references(repository)
        service.pushed(name, before, after, principal.arn)
        return answer

    def _authenticate(self, environ: Environ, path: str) -> Principal:
        scheme, _, encoded = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "basic":
            raise _unauthorized("no user name and password were sent")
        user, _, password = base64.b64decode(encoded).decode("utf-8", "replace").partition(":")
        access_key_id, _, session_token = user.partition("%")
        principal = find_principal(access_key_id, session_token or None)
        match = re.fullmatch(r"(\d{8}T\d{6})Z[0-9a-f]{64}", password)
        if principal is None or match is None:
            raise _unauthorized("the user name must be an access key id, the password its signature")
        timestamp = match.group(1)
        expected = git_password(
            secret_access_key=principal.secret_access_key,
            region=self._account.region,
            host=environ.get("HTTP_HOST", "localhost").partition(":")[0],
            path=path,
            timestamp=timestamp,
        )
        if not hmac.compare_digest(expected, password):
            raise _unauthorized(
                f"the signature is not of this key, the region {self._account.region}, and {path}"
            )
        age = datetime.now(UTC) - datetime.strptime(timestamp, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        if abs(age) > _SIGNATURE_LIFETIME:
            raise _unauthorized("the signature is older than 15 minutes")
        return principal


def _unauthorized(reason: str) -> ServiceError:
    return ServiceError(
        "Unauthorized",
        f"CodeCommit refused the credentials: {reason}. Credentials are made by `aws codecommit"
        " credential-helper get --ignore-host-check` with credential.useHttpPath=true.",
        401,
    )


def _request_variables(environ: Environ) -> dict[str, str]:
    names = ("REQUEST_METHOD", "QUERY_STRING", "CONTENT_TYPE", "HTTP_CONTENT_ENCODING", "REMOTE_ADDR")
    variables = {name: str(environ[name]) for name in names if environ.get(name)}
    if environ.get("HTTP_GIT_PROTOCOL"):
        variables["GIT_PROTOCOL"] = environ["HTTP_GIT_PROTOCOL"]
    return variables


def _read(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return bytes(stream.read())
    return bytes(stream.read(int(environ.get("CONTENT_LENGTH") or 0)))


def _run_backend(variables: dict[str, str], body: bytes, start_response: StartResponse) -> list[bytes]:
    variables["CONTENT_LENGTH"] = str(len(body))
    done = subprocess.run(
        ["git", "http-backend"], env=variables, input=body, capture_output=True, check=False
    )
    if done.returncode != 0 or done.stderr:
        LOG.warning("git http-backend: %s", done.stderr.decode("utf-8", "replace"))
    head, separator, content = done.stdout.partition(b"\r\n\r\n")
    if not separator:
        raise ServiceError("InternalError", "git http-backend failed", 500)
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n"))
    start_response(headers.pop("Status", "200 OK"), list(headers.items()))
    return [content]
