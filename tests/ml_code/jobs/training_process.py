"""One host of a training job, in a process of its own: `python training_process.py FOLDER HOST HOST… KIND`.

FOLDER has model.yaml and, for each host with rows, its file of the train part.
"""

import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path

from ml_code.jobs import collective
from ml_code.jobs.estimator import build_model
from ml_code.jobs.hosts import Host, HostError
from ml_code.jobs.parts import part_files, read_part
from ml_code.jobs.train import train
from ml_code.spec import load_spec


def main() -> None:
    folder, name, kind = Path(sys.argv[1]), sys.argv[2], sys.argv[-1]
    me = Host(name, tuple(sys.argv[3:-1]))
    spec = load_spec(folder / "model.yaml")
    part = read_part(folder / name, "train") if part_files(folder / name, "train") else None
    searched = {"n_estimators": 200_000 if kind == "killed" else 40}
    if kind == "killed" and not me.leads:
        threading.Timer(4, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    if kind == "late" and not me.leads:
        time.sleep(5)
    if me.is_alone and part is not None:
        model = train(spec, searched, part)
    else:
        try:
            seconds = 4 if kind in ("missing", "taken") else 30
            found = collective.train(me, build_model(spec, searched), part, spec.target.name, seconds)
        except HostError as error:
            sys.exit(f"HostError: {error}")
        if found is None:
            return
        model = found
    (folder / "model.pkl").write_bytes(pickle.dumps(model))


if __name__ == "__main__":
    main()
