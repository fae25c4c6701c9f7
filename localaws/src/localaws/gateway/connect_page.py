"""`python -m localaws connect`: complete a pending connection, as a person does in the console."""

import hmac
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.services.codeconnections.service import CodeConnections
from localaws.services.codepipeline.git_triggers import GitTriggers


class ConnectPage:
    path = "/_localaws/connect"

    def __init__(self, account: Account, triggers: GitTriggers) -> None:
        self._account = account
        self._triggers = triggers

    def __call__(self, environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            status, answer = 200, {"ConnectionArn": self._complete(json.loads(Request(environ).get_data()))}
        except ServiceError as error:
            status, answer = error.status, {"message": error.message}
        return Response(json.dumps(answer), status, mimetype="application/json")(environ, start_response)

    def _complete(self, request: Json) -> str:
        """Complete the connection: pushes count from now on."""
        if not hmac.compare_digest(request["secret"], self._account.administrator.secret_access_key):
            raise ServiceError("AccessDenied", "Only the administrator completes a connection.", 403)
        service = self._account.services["codeconnections"]
        assert isinstance(service, CodeConnections)
        arn = service.complete(request["name"], Path(request["folder"]))
        self._triggers.look()
        return arn
