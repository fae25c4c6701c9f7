"""MLflow apps, and the real MLflow server that each of them, as each tracking server, is."""

import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.listing import now, pick, sorted_page
from localaws.core.validation import refuse_members
from localaws.runtime.image_environment import user_cache
from localaws.runtime.processes import Process
from localaws.services.iam.authorization import assume_role
from localaws.services.sagemaker.endpoints.loopback import HOST, answers, free_port
from localaws.services.sagemaker.names import random_text
from localaws.services.sagemaker.shared import Shared

LOG = logging.getLogger("localaws.sagemaker")
STARTUP_SECONDS = 120.0
POLL_SECONDS = 0.1
ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
CREATE_MEMBERS = {
    "Name",
    "ArtifactStoreUri",
    "RoleArn",
    "Tags",
    "ModelRegistrationMode",
    "AccountDefaultStatus",
}
UPDATE_MEMBERS = {"Arn", "Name", "ArtifactStoreUri"}
# Migrating an empty database takes longer than everything else of a start.
MIGRATE = """
import sys
from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine_with_retry
_initialize_tables(create_sqlalchemy_engine_with_retry(sys.argv[1]))
"""


class EmptyDatabase:
    """An MLflow database with all migrations and no row, made once for a user, in the background."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._path = Path()
        self._made = threading.Event()
        self._error = ""
        threading.Thread(target=self._make, name="mlflow-database", daemon=True).start()

    def copy(self, path: Path) -> None:
        """Wait for the database; RuntimeError when it could not be made."""
        self._made.wait()
        if self._error:
            raise RuntimeError(self._error)
        shutil.copyfile(self._path, path)

    def _make(self) -> None:
        try:
            self._path = self._folder() / f"mlflow-{version('mlflow')}.db"
            if not self._path.exists():
                self._migrate()
        except (OSError, RuntimeError) as error:
            self._error = f"The empty MLflow database could not be made: {error!r}"
        finally:
            self._made.set()

    def _folder(self) -> Path:
        """The user's cache, or this local AWS's own where that cannot be written to."""
        folder = user_cache()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
        except OSError as error:
            LOG.info("%s cannot be made: %s", folder, error)
        own = self._account.state_dir / "cache"
        own.mkdir(parents=True, exist_ok=True)
        return own

    def _migrate(self) -> None:
        lines: list[str] = []
        with tempfile.TemporaryDirectory(prefix=".making-", dir=self._path.parent) as folder:
            draft = Path(folder, "mlflow.db").absolute()
            process = self._account.processes.start(
                [sys.executable, "-c", MIGRATE, f"sqlite:///{draft}"],
                environment=_server_environment(Path(folder)),
                directory=Path(folder),
                on_line=lines.append,
            )
            if process.wait() != 0:
                raise RuntimeError("\n".join(lines[-5:]))
            draft.rename(self._path)


class MlflowServer:
    """One app or tracking server; its process starts in the background."""

    def __init__(self, account: Account, arn: str, description: Json, database: EmptyDatabase) -> None:
        self._account = account
        self._database = database
        self.arn = arn
        self._directory = account.state_dir / "mlflow" / arn.rpartition("/")[2]
        self._port = free_port()
        self._process: Process | None = None
        self._settled = threading.Event()
        self._closed = threading.Event()
        self.description: Json = {
            **description,
            "MlflowVersion": version("mlflow"),
            "Status": "Creating",
            "CreationTime": now(),
            "LastModifiedTime": now(),
        }
        self._credentials = assume_role(
            account,
            description["RoleArn"],
            principal="sagemaker.amazonaws.com",
            session_name="SageMaker-mlflow",
        )
        threading.Thread(target=self._run, name=self.arn, daemon=True).start()

    def url(self) -> str:
        """The server's address, after it answers; ServiceError when it did not start."""
        self._settled.wait()
        if self.description["Status"] != "Created":
            raise ServiceError("ServiceUnavailable", f"{self.arn} is {self.description['Status']}.", 503)
        return f"http://{HOST}:{self._port}"

    def close(self) -> None:
        self._closed.set()
        if self._process is not None:
            self._process.terminate(grace_seconds=2.0)
        if self._directory.exists():
            shutil.rmtree(self._directory)

    def _run(self) -> None:
        status = "CreateFailed"
        try:
            self._start()
            if self._answers_in_time():
                status = "Created"
        except Exception:  # a fault of the local AWS: shown, and the server still settles
            LOG.exception("a fault of the local AWS itself")
        self.description |= {"Status": status, "LastModifiedTime": now()}
        self._settled.set()

    def _start(self) -> None:
        self._directory.mkdir(parents=True)
        database = self._directory / "mlflow.db"
        self._database.copy(database)
        if self._closed.is_set():
            return
        self._process = self._account.processes.start(
            [
                *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(self._port)),
                *("--workers", "1", "--backend-store-uri", f"sqlite:///{database.absolute()}"),
                *("--default-artifact-root", self.description["ArtifactStoreUri"], "--no-serve-artifacts"),
                *("--allowed-hosts", "127.0.0.1:*,localhost:*"),  # no page of another site gets at it
            ],
            environment={
                **_server_environment(self._directory),
                **self._account.environment(self._credentials),
            },
            directory=self._directory,
            on_line=self._write_log,
        )

    def _write_log(self, line: str) -> None:
        """Append to a file of the state folder: AWS shows no log of the server."""
        with (self._directory / "server.log").open("a") as log:
            log.write(f"{line}\n")

    def _answers_in_time(self) -> bool:
        deadline = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < deadline and not self._closed.is_set():
            if self._process is None or not self._process.running:
                return False
            if answers(self._port, "/health", timeout_seconds=2.0):
                return True
            time.sleep(POLL_SECONDS)
        return False


class MlflowApps:
    """The operations."""

    def __init__(self, shared: Shared, database: EmptyDatabase) -> None:
        self._shared = shared
        self._database = database
        self._apps: dict[str, MlflowServer] = {}
        self._deleted: list[Json] = []  # descriptions: they stay in the list

    def create_mlflow_app(self, request: Json) -> Json:
        refuse_members(request, CREATE_MEMBERS, "CreateMlflowApp")
        if any(app.description["Name"] == request["Name"] for app in self._apps.values()):
            raise ServiceError("ConflictException", f"An MLflow app named {request['Name']} already exists.")
        account = self._shared.account
        arn = account.arn("sagemaker", f"mlflow-app/app-{random_text(12, ID_ALPHABET)}")
        description = {
            "AccountDefaultStatus": "DISABLED",
            "ModelRegistrationMode": "AutoModelRegistrationDisabled",
            **{key: value for key, value in request.items() if key != "Tags"},
            "Arn": arn,
        }
        app = MlflowServer(account, arn, description, self._database)
        self._apps[app.arn] = app
        self._shared.tags.set(app.arn, request.get("Tags", []))
        return {"Arn": app.arn}

    def describe_mlflow_app(self, request: Json) -> Json:
        return dict(self._app(request["Arn"]).description)

    def list_mlflow_apps(self, request: Json) -> Json:
        members = ("Arn", "Name", "Status", "CreationTime", "LastModifiedTime", "MlflowVersion")
        found = [*self._deleted, *(app.description for app in list(self._apps.values()))]
        summaries = [pick(description, *members) for description in found]
        return sorted_page(request, summaries, member="Summaries", name="Name", status="Status")

    def delete_mlflow_app(self, request: Json) -> Json:
        app = self._app(request["Arn"])
        del self._apps[app.arn]
        app.close()
        self._deleted.append({**app.description, "Status": "Deleted", "LastModifiedTime": now()})
        self._shared.tags.forget(app.arn)
        return {"Arn": app.arn}

    def create_presigned_mlflow_app_url(self, request: Json) -> Json:
        """The server's own address: it listens on this machine only."""
        return {"AuthorizedUrl": f"{self.url(request['Arn'])}/"}

    def url(self, arn: str) -> str:
        return self._app(arn).url()

    def close(self) -> None:
        for app in list(self._apps.values()):
            app.close()

    def _app(self, arn: str) -> MlflowServer:
        app = self._apps.get(arn)
        if app is None:
            raise ServiceError("ResourceNotFound", f"MLflow app {arn} does not exist.")
        return app


def _server_environment(home: Path) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home.absolute()),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves three processes
    }
