"""The page that `python -m localaws status` reads."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Response

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.gateway.faults import Faults
from localaws.runtime.image_environment import STAND_IN
from localaws.services.cloudformation.service import CloudFormation


class StatusPage:
    path = "/_localaws/status"

    def __init__(self, account: Account, cloudformation_service: CloudFormation, faults: Faults) -> None:
        self._account = account
        self._cloudformation = cloudformation_service
        self._faults = faults

    def __call__(self, environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        report = {
            "processes": self._account.processes.running(),
            "containers": self._account.image.description
            if self._account.image
            else f"{STAND_IN} (`up --no-image`)",
            "faults": [str(fault) for fault in self._faults.rules],
            "stacks": [(stack.name, stack.status) for stack in self._cloudformation.stacks()],
        }
        return Response(json.dumps(report), mimetype="application/json")(environ, start_response)
