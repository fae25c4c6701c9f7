"""Lines of jobs, builds and functions into CloudWatch Logs, which is moto's."""

import logging
import threading
import time

from moto.logs.models import logs_backends

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.core.identity import ACCOUNT_ID, Credentials
from localaws.services.iam.authorization import authorize_session

LOG = logging.getLogger("localaws.logs")
_LOCK = threading.Lock()  # moto's log streams are not made for several threads


class LogWriter:
    """Appends to one log stream with a role's rights; group and stream are created when they are missing.

    Without the rights nothing is logged, and the job runs on.
    """

    def __init__(
        self,
        account: Account,
        group: str,
        stream: str,
        credentials: Credentials,
        *,
        lists_streams: bool = False,
    ) -> None:
        """`lists_streams`: SageMaker looks at the streams of the group before it writes."""
        self._backend = logs_backends[ACCOUNT_ID][account.region]
        self._account = account
        self._group = group
        self._stream = stream
        self._credentials = credentials
        self._denied = False
        with _LOCK:
            if lists_streams:
                self._require("DescribeLogStreams", "*")
            for action in ("CreateLogStream", "PutLogEvents"):
                self._require(action, f"log-stream:{stream}")
            if not self._denied:
                self._ensure_stream()

    def write(self, line: str) -> None:
        event = {"timestamp": int(time.time() * 1000), "message": line}
        with _LOCK:
            if not self._denied and self._ensure_stream():  # somebody may have deleted the group since
                self._backend.put_log_events(self._group, self._stream, [event])

    def close(self) -> None:
        """Do nothing, as no line is held back; callers treat the writer as a file."""

    def _require(self, action: str, part: str) -> None:
        arn = self._account.arn("logs", f"log-group:{self._group}:{part}")
        try:
            authorize_session(self._credentials, f"logs:{action}", arn)
        except ServiceError as error:
            self._denied = True
            LOG.warning("%s %s is not written: %s", self._group, self._stream, error.message)

    def _ensure_stream(self) -> bool:
        if self._group not in self._backend.groups:
            self._require("CreateLogGroup", "*")
            if self._denied:
                return False
        self._backend.ensure_log_group(self._group)
        self._backend.ensure_log_stream(self._group, self._stream)
        return True
