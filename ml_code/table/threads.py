"""Work on the next items in threads, while the caller uses an earlier result."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
# Each needs the memory of a few blocks.
MOST_THREADS = 8


def thread_count() -> int:
    return min(os.cpu_count() or 1, MOST_THREADS)


def in_order(pool: Executor, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results in the order of their items, of which no more are taken than the threads need."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > thread_count():
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
