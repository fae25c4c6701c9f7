"""One host of a preprocess job, in a process of its own: `python host_process.py FOLDER HOST HOST… KIND`.

The hosts are called by loopback addresses, which need no names. FOLDER has model.yaml and, for each host, its data.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ml_code.jobs import cluster
from ml_code.jobs.hosts import Host, HostError
from ml_code.jobs.parts import PARTS
from ml_code.jobs.preprocess import Hosts, ThisHost, preprocess
from ml_code.jobs.shard import Shard, WrittenParts
from ml_code.raw_files import RawFileError
from ml_code.spec import load_spec
from ml_code.table.columns import SchemaError

WRITE = Shard.write


def main() -> None:
    folder, name, kind = Path(sys.argv[1]), sys.argv[2], sys.argv[-1]
    me = Host(name, tuple(sys.argv[3:-1]))
    own, is_last = folder / name, name == me.names[-1]
    shard = Shard(
        load_spec(folder / "model.yaml"),
        own / "data",
        own / ".work",
        {part: own / part for part in PARTS},
        shard_count=2,
        number=None if me.is_alone else me.number,
        host=name,
    )
    if kind == "killed" and is_last:
        Shard.check = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign, assignment]
    if kind == "killed-while-writing" and is_last:
        Shard.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign, assignment]
    if kind == "killed-in-the-last-write" and is_last:
        Shard.publish = _publish_and_die  # type: ignore[method-assign, assignment]
    if kind == "full" and not me.leads:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    if kind == "full-while-writing" and not me.leads:
        Shard.write = _write_little  # type: ignore[method-assign, assignment]
    if kind == "never" and not me.leads:
        time.sleep(60)
    if kind in ("late", "too-late") and not me.leads:
        time.sleep(5)

    def lead(hosts: Hosts) -> None:
        (folder / "dataset.json").write_text(json.dumps(preprocess(hosts, shard.spec, own / "data")))

    try:
        if me.is_alone:
            lead(ThisHost(shard))
        else:
            cluster.run(me, shard, lead, start_seconds=4 if kind in ("missing", "too-late", "taken") else 20)
    except (HostError, SchemaError, RawFileError, OSError) as error:
        shard.withdraw()
        sys.exit(f"{type(error).__name__}: {error}")


def _publish_and_die(shard: Shard) -> None:
    """The process ends between two files."""
    for path in sorted((shard.work / "train").glob("*.parquet"))[:1]:
        shard.outputs["train"].mkdir()
        path.rename(shard.outputs["train"] / path.name)
    os.kill(os.getpid(), signal.SIGKILL)


def _write_little(*arguments: Any) -> WrittenParts:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    return WRITE(*arguments)


if __name__ == "__main__":
    main()
