"""One host of a measured job: `python -m operations.benchmarks.scale_host JOB FOLDER HOST HOST… [--seed N]`.

JOB is preprocess, train, or score: the latter prints the ROC AUC of the trained model on the test part of all hosts.
"""

import argparse
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from ml_code.jobs.hosts import Host
from ml_code.jobs.parts import PARTS, PartBlocks, read_part
from ml_code.jobs.preprocess import Hosts, ThisHost, preprocess
from ml_code.jobs.shard import Shard
from ml_code.spec import ModelSpec, load_spec

if TYPE_CHECKING:
    from ml_code.estimators.model import TableModel

SEARCHED = {"n_estimators": 50}
MODEL = "model.pkl"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("job", choices=("preprocess", "train", "score"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("name")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    spec = load_spec(given.folder / "model.yaml").model_copy(update={"seed": given.seed})
    me = Host(given.name, tuple(given.names))
    if given.job == "preprocess":
        _preprocess(spec, me, given.folder / me.name)
    elif given.job == "train":
        _train(spec, me, given.folder)
    else:
        _score(spec, [given.folder / name for name in me.names], given.folder)


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


def _train(spec: ModelSpec, me: Host, folder: Path) -> None:
    # Here, as a preprocess job imports none of it.
    from ml_code.jobs.estimator import build_model
    from ml_code.jobs.train import train

    part = read_part(folder / me.name / "shard", "train")
    model: TableModel | None
    if me.is_alone:
        model = train(spec, SEARCHED, part)
    else:
        from ml_code.jobs import collective

        model = collective.train(me, build_model(spec, SEARCHED), part, spec.target.name)
    if model is not None:  # on the host that saves it
        (folder / MODEL).write_bytes(pickle.dumps(model))


def _score(spec: ModelSpec, hosts: list[Path], folder: Path) -> None:
    from sklearn.metrics import roc_auc_score

    model = pickle.loads((folder / MODEL).read_bytes())  # noqa: S301 (written by _train)
    truth, chances = [], []
    for host in hosts:
        for block in PartBlocks(host / "test", "test"):
            truth += block[spec.target.name].tolist()
            chances += model.predict_proba(block.drop(columns=spec.target.name))[:, 1].tolist()
    print(roc_auc_score(truth, chances))


if __name__ == "__main__":
    main()
