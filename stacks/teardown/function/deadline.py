import time
from collections.abc import Callable

POLL_SECONDS = 3.0


class TimeBudgetSpentError(Exception):
    """The time is over with resources left; a second `cdk destroy` goes on."""


class Deadline:
    """The time that is left of Lambda's limit."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def wait(self, is_done: Callable[[], bool], what: str) -> None:
        while not is_done():
            self.check(what)
            time.sleep(POLL_SECONDS)

    def check(self, what: str) -> None:
        if time.monotonic() > self._end:
            raise TimeBudgetSpentError(f"waited too long for {what}; run cdk destroy again")
