"""One host of a preprocess job, in a process of its own: `python host_process.py FOLDER HOST HOST… KIND`.

The hosts are called by loopback addresses, which need no names. FOLDER has model.yaml and, for each host, its data.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from ml_code.jobs import cluster
from ml_code.jobs.hosts import Host, HostError
from ml_code.jobs.parts import PARTS
from ml_code.jobs.preprocess import Hosts, ThisHost, preprocess
from ml_code.jobs.shard import Shard
from ml_code.raw_files import RawFileError
from ml_code.spec import load_spec
from ml_code.table.columns import SchemaError


def main() -> None:
    folder, name, kind = Path(sys.argv[1]), sys.argv[2], sys.argv[-1]
    me = Host(name, tuple(sys.argv[3:-1]))
    own = folder / name
    shard = Shard(
        load_spec(folder / "model.yaml"),
        own / "data",
        own / ".work",
        {part: own / part for part in PARTS},
        shard_count=2,
        number=None if me.is_alone else me.number,
    )
    if kind == "killed" and not me.leads:
        Shard.check = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign, assignment]
    if kind == "killed-while-writing" and not me.leads:
        Shard.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign, assignment]
    if kind == "full" and not me.leads:
        Shard.write = _no_space  # type: ignore[method-assign, assignment]
    if kind == "never" and not me.leads:
        time.sleep(60)
    if kind == "late" and not me.leads:
        time.sleep(5)

    def lead(hosts: Hosts) -> None:
        (folder / "dataset.json").write_text(json.dumps(preprocess(hosts, shard.spec, own / "data")))

    try:
        if me.is_alone:
            lead(ThisHost(shard))
        else:
            cluster.run(me, shard, lead, start_seconds=20 if kind != "missing" else 4)
    except (HostError, SchemaError, RawFileError, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    finally:
        shard.discard()


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device", "train.parquet")


if __name__ == "__main__":
    main()
