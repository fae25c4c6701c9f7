"""XGBoost's own collective: the hosts of a training job fit one model together, each on the rows that it has.

Two rounds, as AWS's XGBoost container has them: in the first all hosts say whether they have rows; those without leave,
because the others would wait for them. The first of the rest gets the model, which is one that a single host could have fitted.
"""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from xgboost import collective
from xgboost.tracker import RabitTracker

from ml_code.estimators.model import TableModel, class_codes
from ml_code.jobs.hosts import START_SECONDS, Host, HostError, address_of
from ml_code.table.frames import encode

Answer = TypeVar("Answer")
# Those of AWS's container: who has rows, and the training.
FIRST_PORT, SECOND_PORT = 9099, 9100
_RETRY_SECONDS = 1.0


def train(
    me: Host,
    model: TableModel,
    part: pd.DataFrame | None,
    target: str,
    start_seconds: float = START_SECONDS,
) -> TableModel | None:
    """The fitted model on the host that saves it, None on the others; `part` is None on a host without rows."""
    signal.signal(signal.SIGTERM, _stopped)
    has_rows = part is not None and len(part) > 0
    with_rows = [
        name
        for name, flag in zip(
            me.names, _together(me, FIRST_PORT, start_seconds, lambda: _flags(me, has_rows)), strict=True
        )
        if flag
    ]
    if not with_rows:
        raise HostError("no host has a row of the train part")
    if part is None or not has_rows:
        print(f"{me.name} has no rows of the train part: it leaves the training to {', '.join(with_rows)}")
        return None
    rest = Host(me.name, tuple(with_rows))
    print(f"{me.name} trains on {len(part):,} rows, with {len(with_rows)} hosts", flush=True)
    features, labels = encode(part.drop(columns=target), model.schema), part[target]
    booster = _together(rest, SECOND_PORT, start_seconds, lambda: _fit(model, features, labels))
    if not rest.leads:
        print(f"{rest.leader} saves the model")
        return None
    return _with_booster(model, booster)


def _stopped(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise HostError("this host was stopped: another host of the job failed, or the job was stopped")


def _flags(me: Host, has_rows: bool) -> Sequence[bool]:
    own = np.zeros(len(me.names), dtype=np.int64)
    own[me.number] = has_rows
    return [bool(flag) for flag in collective.allreduce(own, collective.Op.SUM)]


def _together(me: Host, port: int, start_seconds: float, work: Callable[[], Answer]) -> Answer:
    """The answer of `work` on this host, in a communicator of all hosts of `me`."""
    if me.is_alone:
        return work()
    address = address_of(me.leader, start_seconds)
    with running_tracker(me, address, port, start_seconds):
        deadline = time.monotonic() + start_seconds
        while True:
            context = collective.CommunicatorContext(
                dmlc_communicator="rabit",
                dmlc_tracker_uri=address,
                dmlc_tracker_port=port,
                dmlc_task_id=f"{me.number:05}",
                dmlc_retry=1,
                dmlc_timeout=int(start_seconds),
            )
            try:
                context.__enter__()
                break
            except xgb.core.XGBoostError as error:
                # The whole context again: the leader may be late, and to ask whether it is there corrupts its tracker.
                if time.monotonic() > deadline:
                    raise HostError(
                        f"the hosts {', '.join(me.names)} did not find each other within {start_seconds:.0f} s: "
                        f"{_reason(error)}"
                    ) from error
                time.sleep(_RETRY_SECONDS)
        try:
            answer = work()
            context.__exit__(None, None, None)
        except xgb.core.XGBoostError as error:
            with suppress(xgb.core.XGBoostError):
                context.__exit__(None, None, None)
            raise _lost(me, start_seconds, error) from error
        return answer


def _lost(me: Host, silent_seconds: float, error: Exception) -> HostError:
    return HostError(
        f"another host of {', '.join(me.names)} is lost: its process ended, or it said nothing for "
        f"{silent_seconds:.0f} s. Was there too little memory? Its own log says more ({_reason(error)})"
    )


@contextmanager
def running_tracker(me: Host, address: str, port: int, start_seconds: float) -> Iterator[None]:
    """Run the tracker on the leader, where the hosts meet, for the time of the block."""
    if not me.leads:
        yield
        return
    try:
        tracker = RabitTracker(len(me.names), address, port, sortby="task", timeout=int(start_seconds))
        tracker.start()
    except xgb.core.XGBoostError as error:
        raise HostError(
            f"the tracker cannot listen on {me.name}, {address}:{port}: {_reason(error)}"
        ) from error
    try:
        yield
    except BaseException:
        with suppress(xgb.core.XGBoostError):
            tracker.free()
        raise
    try:
        tracker.wait_for()
    except xgb.core.XGBoostError as error:
        raise _lost(me, start_seconds, error) from error
    finally:
        with suppress(xgb.core.XGBoostError):
            tracker.free()


def _fit(model: TableModel, values: NDArray[np.float64], labels: "pd.Series[Any]") -> xgb.Booster:
    *steps, (_, estimator) = model.pipeline.steps
    for _, step in steps:
        values = step.fit_transform(values)  # of the schema alone: a scaler is refused with several hosts
    params = estimator.get_xgb_params()
    weights: NDArray[np.float64] | None = None
    if model.classes:
        found = class_codes(labels, model.classes)
        weights = _weights(model, found)
        if len(model.classes) > 2:
            params |= {"num_class": len(model.classes)}
            if params.get("objective") != "multi:softmax":
                params["objective"] = "multi:softprob"
        target: NDArray[Any] = found
    else:
        target = labels.to_numpy(dtype=np.float64)
    table = xgb.QuantileDMatrix(
        values,
        target,
        weight=weights,
        feature_types=estimator.feature_types,
        enable_categorical=bool(estimator.enable_categorical),
        max_bin=estimator.max_bin or 256,
        nthread=estimator.n_jobs,
    )
    return xgb.train(params, table, num_boost_round=estimator.get_num_boosting_rounds(), verbose_eval=False)


def _weights(model: TableModel, codes: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """The weight of each row; "balanced" counts the classes of all hosts."""
    if model.class_weight is None:
        return None
    if isinstance(model.class_weight, Mapping):
        by_code = np.array([float(model.class_weight.get(label, 1.0)) for label in model.classes])
    else:
        own = np.bincount(codes, minlength=len(model.classes)).astype(np.float64)
        counts = collective.allreduce(own, collective.Op.SUM) if collective.is_distributed() else own
        by_code = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1.0))
    weights: NDArray[np.float64] = by_code[codes]
    return weights


def _with_booster(model: TableModel, booster: xgb.Booster) -> TableModel:
    *steps, (_, estimator) = model.pipeline.steps
    for _, step in steps:
        step.fit(np.zeros((1, len(model.schema.columns))))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.ubj"
        booster.save_model(file)
        estimator.load_model(file)
    return model


def _reason(error: Exception) -> str:
    """The last of the nested reasons of XGBoost's message."""
    nested = [line.rpartition("]: ")[2] for line in str(error).splitlines() if line.startswith("- [")]
    return nested[-1].strip() if nested else str(error).partition("\n")[0]
