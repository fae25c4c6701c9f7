"""The hosts of a preprocess job as a Dask cluster: the leader runs the scheduler, all of them a worker.

A file is checked and written on the host that has it, so no data moves but what is counted over all rows.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, Scheduler, SpecCluster, Worker, get_worker, wait

from ml_code.jobs.hosts import START_SECONDS, Host, HostError, address_of
from ml_code.jobs.shard import CheckedFile, Shard, WrittenParts

SCHEDULER_PORT = 8786  # Dask's own
POLL_SECONDS = 1.0
# A host that says nothing for so long is lost: one that is only slow says that it lives.
SILENCE_SECONDS = 120
_SETTINGS = {
    "distributed.scheduler.worker-ttl": f"{SILENCE_SECONDS}s",
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.limit": "1h",
    "distributed.comm.timeouts.connect": "60s",
}


def run(
    me: Host, shard: Shard, lead: Callable[["Cluster"], None], start_seconds: float = START_SECONDS
) -> None:
    """Call `lead` on the leader; on the others work until it is done. HostError names a host that is lost."""
    dask.config.set(_SETTINGS)
    signal.signal(signal.SIGTERM, _stopped)
    if me.leads:
        _lead(me, shard, lead, start_seconds)
    else:
        asyncio.run(_work(me, shard, start_seconds))


def _stopped(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise HostError("this host was stopped: another host of the job failed, or the job was stopped")


def _lead(me: Host, shard: Shard, lead: Callable[["Cluster"], None], start_seconds: float) -> None:
    address = address_of(me.name, start_seconds)
    options = {"host": address, "dashboard": False}
    try:
        cluster = SpecCluster(
            scheduler={"cls": Scheduler, "options": {**options, "port": SCHEDULER_PORT}},
            workers={me.name: {"cls": Worker, "options": {**options, **_worker_options(shard)}}},
            name=me.name,
            silence_logs=logging.ERROR,
        )
    except (OSError, RuntimeError) as error:
        raise HostError(
            f"the scheduler cannot listen on {me.name}, {address}:{SCHEDULER_PORT}: {_first_cause(error)}"
        ) from error
    with cluster:
        cluster.workers[me.name].shard = shard
        with Client(cluster) as client:
            hosts = Cluster(client, me)
            hosts.wait_for_hosts(start_seconds)
            lead(hosts)
            hosts.complete()
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # the others close their connections, too


def _first_cause(error: BaseException) -> BaseException:
    return error if error.__cause__ is None else _first_cause(error.__cause__)


def _worker_options(shard: Shard) -> dict[str, Any]:
    return {"nthreads": os.cpu_count() or 1, "local_directory": str(shard.work)}


async def _work(me: Host, shard: Shard, start_seconds: float) -> None:
    """Ends when the leader closes the scheduler."""
    leader, address = address_of(me.leader, start_seconds), address_of(me.name, start_seconds)
    logging.getLogger("distributed").setLevel(logging.ERROR)
    try:
        worker = await Worker(
            f"tcp://{leader}:{SCHEDULER_PORT}",
            name=me.name,
            host=address,
            death_timeout=start_seconds,
            dashboard=False,
            **_worker_options(shard),
        )
    except (TimeoutError, OSError) as error:
        raise HostError(
            f"{me.leader}, which leads the job, did not start within {start_seconds:.0f} s"
        ) from error
    worker.shard = shard
    print(f"{me.name} works for {me.leader}", flush=True)
    await worker.finished()
    if not shard.is_complete:
        shard.withdraw()


# What runs on a worker, on the shard that its host has.


def _files() -> tuple[list[str], list[str]]:
    return _own_shard().files()


def _check() -> list[CheckedFile]:
    return _own_shard().check()


def _write(gaps: frozenset[str], places: dict[str, Any]) -> WrittenParts:
    return _own_shard().write(gaps, places)


def _publish() -> None:
    _own_shard().publish()


def _complete() -> None:
    _own_shard().is_complete = True


def _own_shard() -> Shard:
    shard: Shard = get_worker().shard
    return shard


class Cluster:
    """All hosts, as the leader sees them."""

    def __init__(self, client: Client, me: Host) -> None:
        self._client = client
        self._me = me
        self._names: dict[str, list[str]] = {}  # of the files, by host

    def wait_for_hosts(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while missing := self._missing():
            if time.monotonic() > deadline:
                raise HostError(f"{', '.join(missing)} did not start within {timeout_seconds:.0f} s")
            time.sleep(0.1)

    def _missing(self) -> list[str]:
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        there = {worker["name"] for worker in workers}
        return [name for name in self._me.names if name not in there]

    def files(self) -> tuple[list[str], list[str]]:
        futures = {host: self._submit(host, _files) for host in self._me.names}
        found = {host: future.result() for host, future in self._ended(futures)}
        self._names = {host: names for host, (names, _) in found.items()}
        data = sorted(name for names in self._names.values() for name in names)
        return data, sorted(name for _, names in found.values() for name in names)

    def check(self) -> list[CheckedFile]:
        futures = {host: self._submit(host, _check) for host in self._me.names}
        files = [file for _, future in self._ended(futures) for file in future.result()]
        return sorted(files, key=lambda file: file.name)

    def write(self, gaps: frozenset[str], places: dict[str, Any]) -> dict[str, WrittenParts]:
        futures = {
            host: self._submit(host, _write, gaps, {name: places[name] for name in names if name in places})
            for host, names in self._names.items()
        }
        return {host: future.result() for host, future in self._ended(futures)}

    def publish(self) -> None:
        for _, future in self._ended({host: self._submit(host, _publish) for host in self._me.names}):
            future.result()

    def complete(self) -> None:
        """Let the hosts keep what they published."""
        for _, future in self._ended({host: self._submit(host, _complete) for host in self._me.names}):
            future.result()

    def _submit(self, host: str, function: Callable[..., Any], *arguments: Any) -> Future:
        return self._client.submit(
            function, *arguments, workers=[host], allow_other_workers=False, pure=False, retries=0
        )

    def _ended(self, futures: dict[str, Future]) -> Iterator[tuple[str, Future]]:
        """Each as it ends; HostError as soon as a host is lost, for which the others would wait without end."""
        waiting = dict(futures)
        while waiting:
            self._require_all()
            try:
                wait(list(waiting.values()), timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
            except TimeoutError:
                continue
            for name in [name for name, future in waiting.items() if future.done()]:
                future = waiting.pop(name)
                if isinstance(future.exception(), KilledWorker):
                    self._require_all()
                yield name, future
                del future

    def _require_all(self) -> None:
        if missing := self._missing():
            raise HostError(
                f"{', '.join(missing)} is lost: its process ended, or it said nothing for {SILENCE_SECONDS} s. "
                "Was there too little memory? Its own log says more"
            )
