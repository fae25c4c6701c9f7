"""Requests per second of the endpoint's code, against `mlflow models serve` and MLflow's scoring in process.

The same model, payloads, client and machine; all in turns, so that a busy machine slows down all alike. The endpoint's code
runs as on an endpoint: the archive, behind AWS's toolkit and gunicorn, in the image's packages (`localaws serve`).
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from ml_code.contracts import Variable
from ml_code.inference import handler
from ml_code.inference.container import container
from ml_code.spec import find_model, load_spec
from operations.benchmarks.http_load import Case, Speed, Started, load, middle, server, speed
from operations.errors import run

SECONDS = 3.0  # a measurement
TURNS = 3
JSON, CSV = "application/json", "text/csv"
OURS, MLFLOW = "gunicorn", "mlflow models serve"


CASES = [
    Case(rows=rows, content_type=content_type, concurrency=concurrency)
    for rows in (1, 1000)
    for content_type in (CSV, JSON)
    for concurrency in (1, 8)
]


def main() -> None:
    console = Console()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        os.environ[Variable.MLFLOW_TRACKING_URI] = f"sqlite:///{folder / 'mlflow.db'}"
        features = save_models(folder)
        payloads = {(case.rows, case.content_type): payload(features, case) for case in CASES}
        with server(OURS, *our_command(folder)) as ours, server(MLFLOW, *mlflow_command(folder)) as mlflow:
            print_http(console, measure_http({OURS: ours, MLFLOW: mlflow}, payloads))
            for started in (ours, mlflow):
                console.print(
                    f"{started.name}: first /ping after {started.start_seconds:.1f} s, "
                    f"memory of its processes {started.memory_mib()} MiB"
                )
        print_in_process(console, measure_in_process(folder, payloads))


def save_models(folder: Path) -> pd.DataFrame:
    """The sample model as MLflow keeps it and as an endpoint gets it; returns the features."""
    from mlflow.models import Model, infer_signature

    from ml_code.jobs.preprocess import read_raw
    from ml_code.jobs.train import save_model, train
    from ml_code.release.deploy import serving_files
    from ml_code.release.model_archive import build_archive
    from ml_code.tracking.model_registry import RegisteredVersion

    spec = load_spec()
    data = read_raw(find_model() / "data", spec)[spec.training_schema().names]
    features = data.drop(columns=spec.target.name)
    searched = {"hidden_layer_sizes": 100, "alpha": 0.1, "learning_rate_init": 0.005}
    model = train(spec, searched, data)
    example = features.head(1)
    signature = infer_signature(example, model.predict(example))
    save_model(model, folder / "mlflow", signature=signature, example=example, mlflow_model=Model())
    (folder / "mlflow" / "schema.json").write_text(json.dumps(spec.request_schema().to_dict()))
    version = RegisteredVersion(
        name=spec.name, version="1", run_id="r", commit="c", data_sha256="d", execution_arn="e", code_uri=""
    )
    files = serving_files(folder / "mlflow", version)
    (folder / "model.tar.gz").write_bytes(build_archive(files))
    for name, content in files.items():
        path = folder / "served" / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return features


def payload(features: pd.DataFrame, case: Case) -> bytes:
    """A request that both servers take: CSV with a header line, JSON as dataframe_split."""
    rows = features.sample(case.rows, replace=True, random_state=1)
    if case.content_type == CSV:
        return str(rows.to_csv(index=False)).encode()
    table = rows.to_dict(orient="split", index=False)
    return json.dumps({"dataframe_split": table}).encode()


def our_command(folder: Path) -> tuple[list[str], dict[str, str]]:
    variables = container("", "", "")["Environment"]
    assignments = [part for item in variables.items() for part in ("--env", "=".join(item))]
    command = [sys.executable, "-m", "localaws", "serve", str(folder / "model.tar.gz"), *assignments]
    return [*command, "--port", "{port}"], {}


# What `mlflow models serve --env-manager local --workers 1` runs. MLflow 3.10 decorates with FastAPI.route,
# which newer releases of Starlette have no more.
MLFLOW_SERVER = """
import sys, fastapi, uvicorn
def route(app, path, methods):
    return lambda function: app.add_route(path, function, methods=methods) or function
if not hasattr(fastapi.FastAPI, "route"):
    fastapi.FastAPI.route = route
uvicorn.run("mlflow.pyfunc.scoring_server.app:app", host="127.0.0.1", port=int(sys.argv[1]), workers=1)
"""


def mlflow_command(folder: Path) -> tuple[list[str], dict[str, str]]:
    environment = {"__pyfunc_model_path__": str(folder / "mlflow")}
    return [sys.executable, "-c", MLFLOW_SERVER, "{port}"], environment


def measure_http(
    servers: dict[str, Started], payloads: dict[tuple[int, str], bytes]
) -> dict[Case, dict[str, Speed]]:
    found: dict[Case, dict[str, Speed]] = {}
    for case in CASES:
        body = payloads[case.rows, case.content_type]
        turns: dict[str, list[Speed]] = {name: [] for name in servers}
        for _ in range(TURNS):
            for name, started in servers.items():
                turns[name].append(load(started.port, body, case, SECONDS / TURNS))
        found[case] = {name: middle(speeds) for name, speeds in turns.items()}
    return found


def measure_in_process(
    folder: Path, payloads: dict[tuple[int, str], bytes]
) -> dict[tuple[int, str], dict[str, Speed]]:
    ask = {OURS: _our_scoring(folder), "pyfunc": _pyfunc_scoring(folder)}
    found = {}
    for key, body in payloads.items():
        turns: dict[str, list[Speed]] = {name: [] for name in ask}
        for _ in range(TURNS):
            for name, score in ask.items():
                turns[name].append(_repeat(score, body, key[1]))
        found[key] = {name: middle(speeds) for name, speeds in turns.items()}
    return found


def _repeat(score: Callable[[bytes, str], None], body: bytes, content_type: str) -> Speed:
    latencies = []
    begin = time.monotonic()
    while time.monotonic() - begin < SECONDS / TURNS:
        start = time.perf_counter()
        score(body, content_type)
        latencies.append(time.perf_counter() - start)
    return speed(latencies, time.monotonic() - begin)


def _our_scoring(folder: Path) -> Callable[[bytes, str], None]:

    model = handler.model_fn(str(folder / "served" / "model"))

    def score(body: bytes, content_type: str) -> None:
        response = handler.transform_fn(model, body, content_type, JSON)
        assert response.status_code == 200, response.get_data()

    return score


def _pyfunc_scoring(folder: Path) -> Callable[[bytes, str], None]:
    import mlflow.pyfunc

    scoring: ModuleType = __import__("mlflow.pyfunc.scoring_server", fromlist=["invocations"])
    model: Any = mlflow.pyfunc.load_model(str(folder / "mlflow"))
    schema = model.metadata.get_input_schema()

    def score(body: bytes, content_type: str) -> None:
        response = scoring.invocations(body.decode(), content_type, model, schema)
        assert response.status == 200, response.response

    return score


def print_http(console: Console, found: dict[Case, dict[str, Speed]]) -> None:
    table = _table("requests over HTTP, one process each")
    for case, speeds in found.items():
        ours, mlflow = speeds[OURS], speeds[MLFLOW]
        _add(table, (str(case.rows), case.content_type, str(case.concurrency)), ours, mlflow)
    console.print(table)


def print_in_process(console: Console, found: dict[tuple[int, str], dict[str, Speed]]) -> None:
    table = _table("the same in process: parse, check, predict, answer; MLflow's is pyfunc's scoring")
    for (rows, content_type), speeds in found.items():
        _add(table, (str(rows), content_type, "-"), speeds[OURS], speeds["pyfunc"])
    console.print(table)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("rows", "content type", "at once"):
        table.add_column(name, overflow="fold")
    for name in ("requests/s", "MLflow's", "ratio", "p99 ms", "MLflow's", "ratio"):
        table.add_column(name, justify="right", overflow="fold")
    return table


def _add(table: Table, case: tuple[str, ...], ours: Speed, mlflow: Speed) -> None:
    table.add_row(
        *case,
        f"{ours.per_second:,.0f}",
        f"{mlflow.per_second:,.0f}",
        f"{ours.per_second / mlflow.per_second:.1f}",
        f"{ours.p99_ms:.1f}",
        f"{mlflow.p99_ms:.1f}",
        f"{mlflow.p99_ms / ours.p99_ms:.1f}",
    )


if __name__ == "__main__":
    run(main)
