"""One host of a measured job: `python -m operations.benchmarks.scale_host JOB FOLDER HOST HOST…`."""

import sys
from pathlib import Path

from ml_code.jobs.hosts import Host
from ml_code.jobs.parts import PARTS, read_part
from ml_code.jobs.preprocess import Hosts, ThisHost, preprocess
from ml_code.jobs.shard import Shard
from ml_code.spec import ModelSpec, load_spec

SEARCHED = {"n_estimators": 50}


def main() -> None:
    job, folder, name, *names = sys.argv[1:]
    spec, me, own = load_spec(Path(folder) / "model.yaml"), Host(name, tuple(names)), Path(folder) / name
    if job == "preprocess":
        _preprocess(spec, me, own)
    else:
        _train(spec, me, own)


def _preprocess(spec: ModelSpec, me: Host, own: Path) -> None:
    outputs = {part: own / part for part in PARTS}
    number = None if me.is_alone else me.number
    shard = Shard(spec, own / "data", own / ".work", outputs, len(me.names), number)

    def lead(hosts: Hosts) -> None:
        preprocess(hosts, spec, own / "data")

    if me.is_alone:
        lead(ThisHost(shard))
    else:
        from ml_code.jobs import cluster

        cluster.run(me, shard, lead)


def _train(spec: ModelSpec, me: Host, own: Path) -> None:
    # Here, as a preprocess job imports none of it.
    from ml_code.jobs.estimator import build_model
    from ml_code.jobs.train import train

    part = read_part(own / "shard", "train")
    if me.is_alone:
        train(spec, SEARCHED, part)
    else:
        from ml_code.jobs import collective

        collective.train(me, build_model(spec, SEARCHED), part, spec.target.name)


if __name__ == "__main__":
    main()
