"""`python -m localaws fault`: replace the rules for faults."""

import hmac
import json
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.gateway.faults import Faults


class FaultPage:
    path = "/_localaws/faults"

    def __init__(self, account: Account, faults: Faults) -> None:
        self._account = account
        self._faults = faults

    def __call__(self, environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = json.loads(Request(environ).get_data())
        status, answer = 200, dict[str, Any]()
        if not hmac.compare_digest(request["secret"], self._account.administrator.secret_access_key):
            status, answer = 403, {"message": "Only the administrator sets faults."}
        else:
            try:
                self._faults.replace(request["faults"], request["seed"])
            except ServiceError as error:
                status, answer = error.status, {"message": error.message}
        return Response(json.dumps(answer), status, mimetype="application/json")(environ, start_response)
