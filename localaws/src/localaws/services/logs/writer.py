"""Lines of jobs, builds and functions into CloudWatch Logs, which is moto's."""

import threading
import time

from moto.logs.models import logs_backends

from localaws.core.account import Account
from localaws.core.identity import ACCOUNT_ID

_LOCK = threading.Lock()  # moto's log streams are not made for several threads


class LogWriter:
    """Appends to one log stream; group and stream are created when they are missing, as the services do."""

    def __init__(self, account: Account, group: str, stream: str) -> None:
        self._backend = logs_backends[ACCOUNT_ID][account.region]
        self._group = group
        self._stream = stream
        with _LOCK:
            self._ensure_stream()

    def write(self, line: str) -> None:
        event = {"timestamp": int(time.time() * 1000), "message": line}
        with _LOCK:
            self._ensure_stream()  # somebody may have deleted the group since
            self._backend.put_log_events(self._group, self._stream, [event])

    def close(self) -> None:
        """For whoever treats it as a file; no line is ever held back."""

    def _ensure_stream(self) -> None:
        self._backend.ensure_log_group(self._group)
        self._backend.ensure_log_stream(self._group, self._stream)
