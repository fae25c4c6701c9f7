"""The one door of the local AWS: every request is identified, authenticated, authorised, and then dispatched."""

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from io import BytesIO
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Response

from localaws.core import moto_patches
from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.permission import Operation, ServicePermissions
from localaws.core.request_validation import check_constraints
from localaws.gateway import wire
from localaws.gateway.faults import Faults
from localaws.gateway.permissions import require_assumable_roles, require_permissions
from localaws.gateway.signature import Signature, read_signature, signature_matches
from localaws.services.iam.authorization import CALLER, Principal, find_principal
from localaws.services.iam.request_policies import require_valid_policy

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Route = Callable[[Environ, StartResponse], Iterable[bytes]]

SignedRoute = Callable[[Principal, Environ, bytes], Route]

LOG = logging.getLogger("localaws.gateway")
NO_PERMISSIONS = ServicePermissions()
OWN_PAGES = "/_localaws/"
# Which moto would answer with a pretence, and no service of ours stands in.
NOT_MOTO = frozenset({"sagemaker-metrics", "codestar-connections"})


class Gateway:
    """A WSGI application.

    Paths that are no AWS API are `routes`, which care for their own authentication, and `signed_routes`, which get
    the caller.
    """

    def __init__(self, account: Account) -> None:
        moto_patches.apply()
        self._account = account
        self._moto = DomainDispatcherApplication(create_backend_app)
        self.permissions: Mapping[str, ServicePermissions] = {}
        # By service and operation: answered here although the service is moto's, and shown before moto answers.
        self.operations: Mapping[str, Mapping[str, Callable[[Account, Json], Json]]] = {}
        self.observers: dict[tuple[str, str], Callable[[Account, Json], None]] = {}
        self.routes: dict[str, Route] = {"/_localaws/health": _health}
        self.signed_routes: dict[str, SignedRoute] = {}
        self.faults = Faults()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        started = time.perf_counter()
        path = environ["PATH_INFO"]
        for prefix, route in self.routes.items():
            if path.startswith(prefix):
                if path.startswith(OWN_PAGES) and not self._is_own(environ.get("HTTP_HOST", "")):
                    message = f"Ask for localhost:{self._account.port}."
                    return Response(message, 403)(environ, start_response)
                return route(environ, start_response)
        moto_patches.ACCOUNT.set(self._account)
        what, response = self._answer(environ, read_body(environ))

        def log_and_start(status: str, *rest: Any) -> Any:
            LOG.debug("%s: %s, %.1f ms", what, status, (time.perf_counter() - started) * 1000)
            return start_response(status, *rest)

        return response(environ, log_and_start)

    def _is_own(self, host: str) -> bool:
        """Whether the Host header names this machine; it does not in a browser that a web page's DNS sent here."""
        names = ("localhost", "127.0.0.1", "[::1]")
        return host.lower() in {f"{name}:{self._account.port}" for name in names}

    def _answer(self, environ: Environ, body: bytes) -> tuple[str, Route]:
        service, protocol, what = "s3", "rest-xml", "unauthenticated"
        try:
            signature = read_signature(environ)
            if signature is None:
                raise _unsigned(environ)
            path = environ["PATH_INFO"]
            service = wire.service_of(signature.signing_name, path, environ.get("HTTP_X_AMZ_TARGET", ""))
            protocol = wire.protocol_of(service, environ.get("CONTENT_TYPE"))
            principal = authenticate(signature, environ, body)
            what = f"{service}:{environ['REQUEST_METHOD']} {path} by {principal.arn}"
            for prefix, answer in self.signed_routes.items():
                if path.startswith(prefix):
                    call = partial(answer, principal, environ, body)
                    return what, self._faulted(prefix.strip("/"), path, protocol, environ, call)
            operation = wire.read_operation(service, environ, body)
            what = f"{service}:{operation.name} by {principal.arn}"
            call = partial(self._perform, operation, principal, environ, body)
            return what, self._faulted(service, operation.name, protocol, environ, call)
        except ServiceError as error:
            LOG.info("%s: %s: %s", what, error.code, error.message)
            return what, wire.failure(_in_words_of(service, protocol, error), service, protocol)
        except Exception as error:
            LOG.exception("%s failed", what)
            text = f"{type(error).__name__}: {error}"
            return what, wire.failure(ServiceError("InternalFailure", text, 500), service, protocol)

    def _faulted(
        self, service: str, operation: str, protocol: str, environ: Environ, call: Callable[[], Route]
    ) -> Route:
        """The answer of the call, unless a fault hits it."""
        fault = self.faults.draw(service, operation, environ.get("HTTP_USER_AGENT", ""))
        if fault is None:
            return call()
        if fault.is_late:
            Response.from_app(call(), environ)  # moto acts when it answers
        raise fault.error(service, protocol)

    def _perform(self, operation: Operation, principal: Principal, environ: Environ, body: bytes) -> Route:
        CALLER.set(principal)
        rules = self.permissions.get(operation.service, NO_PERMISSIONS)
        require_permissions(self._account, rules, principal, operation)
        check_constraints(operation.service, operation.name, operation.parameters)
        require_assumable_roles(rules, operation)
        require_valid_policy(operation)
        return self._dispatch(operation, principal, environ, body)

    def _dispatch(self, operation: Operation, principal: Principal, environ: Environ, body: bytes) -> Route:
        own = self._account.services.get(operation.service)
        if own is not None:
            return wire.success(operation, own.call(operation.name, operation.parameters, principal.caller))
        if operation.service in NOT_MOTO:
            raise ServiceError(
                "UnsupportedOperation",
                f"The local AWS does not support {operation.service}:{operation.name}.",
                501,
            )
        if answer := self.operations.get(operation.service, {}).get(operation.name):
            return wire.success(operation, answer(self._account, operation.parameters))
        if observe := self.observers.get((operation.service, operation.name)):
            observe(self._account, operation.parameters)
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return self._moto


def _unsigned(environ: Environ) -> ServiceError:
    if (
        "AWSAccessKeyId=" in environ.get("QUERY_STRING", "")
        or environ.get("HTTP_AUTHORIZATION", "")[:4] == "AWS "
    ):
        return ServiceError(
            "InvalidRequest",
            "The local AWS does not support signature version 2; sign with version 4: "
            'botocore.config.Config(signature_version="s3v4").',
        )
    return ServiceError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)


def authenticate(signature: Signature, environ: Environ, body: bytes) -> Principal:
    principal = find_principal(signature.access_key_id, signature.session_token)
    if principal is None:
        raise ServiceError(
            "InvalidClientTokenId", "The security token included in the request is invalid.", 403
        )
    if not signature_matches(signature, principal.secret_access_key, environ, body):
        raise ServiceError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
            403,
        )
    return principal


def read_body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return bytes(stream.read())
    return bytes(stream.read(int(environ.get("CONTENT_LENGTH") or 0)))


def _in_words_of(service: str, protocol: str, error: ServiceError) -> ServiceError:
    """Services name the same refusal differently."""
    if protocol == "json":
        codes = {
            "AccessDenied": "AccessDeniedException",
            "InvalidClientTokenId": "UnrecognizedClientException",
        }
        status = 400 if error.code in codes else error.status
    elif protocol == "rest-json":
        codes, status = {"AccessDenied": "AccessDeniedException"}, error.status
    elif service == "s3":
        codes, status = {"InvalidClientTokenId": "InvalidAccessKeyId"}, error.status
    else:
        codes, status = {}, error.status
    return ServiceError(codes.get(error.code, error.code), error.message, status, error.details)


def _health(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return Response(json.dumps({"status": "running"}), mimetype="application/json")(environ, start_response)
