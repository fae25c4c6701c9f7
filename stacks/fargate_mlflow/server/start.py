"""The program of the MLflow container: bring the database to this version's schema, then serve."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

PORT = 5000


def database_uri(environment: Mapping[str, str]) -> str:
    """The address with the credentials, whose password may hold any character."""
    user, password = (quote(environment[name], safe="") for name in ("DATABASE_USER", "DATABASE_PASSWORD"))
    host, name = environment["DATABASE_HOST"], environment["DATABASE_NAME"]
    return f"postgresql://{user}:{password}@{host}:5432/{name}?{tls(environment)}"


def tls(environment: Mapping[str, str]) -> str:
    """The connection's TLS options: the root certificate keeps the password from a server that is not the database."""
    if not (certificate := environment.get("DATABASE_ROOT_CERTIFICATE")):
        return "sslmode=require"
    file = Path(tempfile.gettempdir(), "database-root.pem")
    file.write_text(certificate)
    return f"sslmode=verify-full&sslrootcert={file}"


def migrate(uri: str) -> None:
    """The server makes the schema of an empty database by itself, but refuses one of an older version."""
    from sqlalchemy import create_engine, inspect  # the image has it, a build that runs the tests need not

    if inspect(create_engine(uri)).has_table("alembic_version"):
        done = subprocess.run(["mlflow", "db", "upgrade", uri], check=False)
        if done.returncode:  # an exception of subprocess would show the command, and with it the password
            raise SystemExit(f"mlflow db upgrade ended with exit status {done.returncode}")


def main() -> None:
    uri = database_uri(os.environ)
    migrate(uri)
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri
    command = ["mlflow", "server", "--host", "0.0.0.0", "--port", str(PORT), "--workers", "2"]  # noqa: S104
    # Clients read and write S3 themselves. Who reaches the port at all, security groups decide.
    command += ["--default-artifact-root", os.environ["ARTIFACT_ROOT"], "--no-serve-artifacts"]
    os.execvp("mlflow", [*command, "--allowed-hosts", "*"])  # noqa: S606


if __name__ == "__main__":
    main()
