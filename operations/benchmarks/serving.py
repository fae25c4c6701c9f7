"""Requests per second of the endpoint's code, against `mlflow models serve` and MLflow's scoring in process.

Of the project's model, and of the mixed types of examples/flights. The same model, payloads, client and machine; all in turns,
so that a busy machine slows down all alike. The endpoint's code runs as on an endpoint: the archive, behind AWS's toolkit and
gunicorn, in the image's packages (`localaws serve`).
"""

import io
import json
import os
import re
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
from ml_code.estimators.libraries import LIBRARY_FOLDER, library_of
from ml_code.execution import job_wheels
from ml_code.inference import handler
from ml_code.inference.container import container
from ml_code.spec import MODEL_YAML, ModelSpec, find_model, load_spec
from ml_code.table.text import write_csv
from operations.benchmarks.http_load import Case, Speed, Started, load, middle, server, speed
from operations.errors import run
from operations.factory import PROJECT

SECONDS = 3.0  # a measurement
TURNS = 3
JSON, CSV = "application/json", "text/csv"
MIXED = PROJECT / "examples" / "flights"
OURS, MLFLOW = "gunicorn", "mlflow models serve"


CASES = [
    Case(rows=rows, content_type=content_type, concurrency=concurrency)
    for rows in (1, 1000)
    for content_type in (CSV, JSON)
    for concurrency in (1, 8)
]


def main() -> None:
    console = Console()
    for model in (find_model(), MIXED):
        measure(console, model)


def measure(console: Console, model: Path) -> None:
    """Measure the model of the folder."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        os.environ[Variable.MLFLOW_TRACKING_URI] = f"sqlite:///{folder / 'mlflow.db'}"
        spec, features = save_models(folder, model)
        console.print(f"{spec.name}, {spec.estimator}", style="bold")
        payloads = {(case.rows, case.content_type): payload(spec, features, case) for case in CASES}
        with server(OURS, *our_command(folder)) as ours, server(MLFLOW, *mlflow_command(folder)) as mlflow:
            print_http(console, measure_http({OURS: ours, MLFLOW: mlflow}, payloads))
            for started in (ours, mlflow):
                console.print(
                    f"{started.name}: first /ping after {started.start_seconds:.1f} s, "
                    f"memory of its processes {started.memory_mib()} MiB"
                )
        print_in_process(console, measure_in_process(folder, payloads))


def save_models(folder: Path, source: Path) -> tuple[ModelSpec, pd.DataFrame]:
    """The model as MLflow keeps it and as an endpoint gets it; returns the features."""
    from mlflow.models import Model, infer_signature

    from ml_code.jobs.preprocess import read_raw
    from ml_code.jobs.train import save_model, train
    from ml_code.release.deploy import serving_files
    from ml_code.release.model_archive import build_archive
    from ml_code.tracking.model_registry import RegisteredVersion

    spec = load_spec(source / MODEL_YAML)
    data = read_raw(source / "data", spec)[spec.training_schema().names]
    features = data.drop(columns=spec.target.name)
    # As MLflow's server reads a request: it takes no column of any type in CSV.
    plain = pd.read_csv(io.BytesIO(write_csv(features, spec.request_schema())))
    searched = {name: found.samples()[-1] for name, found in spec.search.items()}
    model = train(spec, searched, data)
    signature = infer_signature(plain, model.predict(features.head(1)))
    save_model(model, folder / "mlflow", signature=signature, example=plain.head(1), mlflow_model=Model())
    place_library(spec, folder / "mlflow" / LIBRARY_FOLDER)
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
    return spec, features


def place_library(spec: ModelSpec, folder: Path) -> None:
    """The wheel of the job lock that the image lacks, as a job places it beside its model."""
    library = library_of(spec.estimator)
    if library.in_image:
        return
    folder.mkdir()
    entry = re.search(
        rf"^{library.distribution}==.*(?:\n    --hash=.*)*", job_wheels.LOCK.read_text(), re.MULTILINE
    )
    assert entry is not None, f"{job_wheels.LOCK} has no {library.distribution}"
    lock = folder / "one.lock"
    lock.write_text(f"{entry[0]}\n")
    for name, content in job_wheels.download(lock).items():
        (folder / name).write_bytes(content)


def payload(spec: ModelSpec, features: pd.DataFrame, case: Case) -> bytes:
    """A request that both servers take: CSV with a header line, JSON as dataframe_split."""
    rows = features.sample(case.rows, replace=True, random_state=1)
    if case.content_type == CSV:
        return write_csv(rows, spec.request_schema())
    table = json.loads(rows.to_json(orient="split", index=False, date_format="iso", date_unit="s"))
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
