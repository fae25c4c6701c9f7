"""A server program under load: started, asked over HTTP by several connections at once, and ended."""

import http.client
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

import psutil

from operations.errors import OperationError

START_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Case:
    rows: int
    content_type: str
    concurrency: int


@dataclass(frozen=True, kw_only=True)
class Speed:
    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, kw_only=True)
class Started:
    name: str
    port: int
    pid: int
    start_seconds: float

    def memory_mib(self) -> int:
        """Return the memory of all processes of the server in MiB, shared pages counted once (PSS)."""
        server = psutil.Process(self.pid)
        processes = [server, *server.children(recursive=True)]
        pss_bytes = sum(int(process.memory_full_info().pss) for process in processes)
        return pss_bytes >> 20


@contextmanager
def server(name: str, command: list[str], environment: dict[str, str]) -> Iterator[Started]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryFile() as log:
        begin = time.monotonic()
        process = subprocess.Popen(
            [*command[:-1], command[-1].format(port=port)],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                **{key: value.format(port=port) for key, value in environment.items()},
            },
            stdout=log,
            stderr=log,
        )
        try:
            while not answers(port):
                if process.poll() is not None or time.monotonic() - begin > START_TIMEOUT_SECONDS:
                    log.seek(0)
                    raise OperationError(f"{log.read().decode()[-2000:]}\n{name} did not start.")
                time.sleep(0.02)
            yield Started(name=name, port=port, pid=process.pid, start_seconds=time.monotonic() - begin)
        finally:
            process.terminate()
            process.wait(30)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def load(port: int, body: bytes, case: Case, seconds: float) -> Speed:
    """Send as many requests as the connections get through."""
    latencies: list[float] = []
    failures: list[str] = []
    deadline = time.monotonic() + seconds

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            while time.monotonic() < deadline and not failures:
                begin = time.perf_counter()
                connection.request("POST", "/invocations", body, {"Content-Type": case.content_type})
                response = connection.getresponse()
                answer = response.read()
                latencies.append(time.perf_counter() - begin)
                if response.status != 200:
                    failures.append(f"status {response.status}: {answer[:300]!r}")
        finally:
            connection.close()

    threads = [Thread(target=ask) for _ in range(case.concurrency)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise OperationError(f"{case}: {failures[0]}")
    return speed(latencies, time.monotonic() - begin)


def speed(latencies: list[float], seconds: float) -> Speed:
    percentiles = statistics.quantiles([*latencies, *latencies], n=100, method="inclusive")
    return Speed(
        per_second=len(latencies) / seconds, p50_ms=percentiles[49] * 1000, p99_ms=percentiles[98] * 1000
    )


def middle(speeds: list[Speed]) -> Speed:
    return sorted(speeds, key=lambda each: each.per_second)[len(speeds) // 2]
