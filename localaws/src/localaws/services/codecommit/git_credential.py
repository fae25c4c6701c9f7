"""git's credential helper for repositories of the local AWS: what `aws codecommit credential-helper` answers, quicker.

git runs this file by its path with the operation (get, store, erase) as argument: it imports nothing but the
standard library. The credentials are those of the shell, as with any AWS tool.
"""

import hashlib
import hmac
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path


def git_password(*, secret_access_key: str, region: str, host: str, path: str, timestamp: str) -> str:
    """CodeCommit's password for git: `timestamp` (20260131T235959, UTC) and a Signature Version 4."""
    request = f"GIT\n{path}\n\nhost:{host}\n\nhost\n"
    scope = f"{timestamp[:8]}/{region}/codecommit/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret_access_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{timestamp}Z{key.hex()}"


def git_configuration(endpoint_url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that make git sign in to repositories under `endpoint_url` with this helper.

    Settings that `environ` already gives to git in this way stay.
    """
    scope = f"credential.{endpoint_url}"
    first = 0
    while not environ.get(f"GIT_CONFIG_KEY_{first}", scope).startswith(scope):
        first += 1
    settings = [
        ("helper", ""),  # forgets helpers that would store the password of one minute
        ("helper", f"!'{sys.executable}' -I '{Path(__file__).resolve()}'"),
        ("useHttpPath", "true"),
    ]
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings, start=first):
        variables[f"GIT_CONFIG_KEY_{number}"] = f"{scope}.{name}"
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def main() -> None:
    if sys.argv[1:] != ["get"]:  # every password is computed afresh: there is nothing to store or erase
        return
    request = dict(line.rstrip("\n").split("=", 1) for line in sys.stdin if "=" in line)
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not os.environ.get(name)]
    if missing:
        sys.exit(f'{" and ".join(missing)} not set: eval "$(make env)" first')
    password = git_password(
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        host=request["host"].partition(":")[0],
        path=f"/{request['path']}",
        timestamp=f"{datetime.now(UTC):%Y%m%dT%H%M%S}",
    )
    token = os.environ.get("AWS_SESSION_TOKEN")
    print(f"username={os.environ['AWS_ACCESS_KEY_ID']}{f'%{token}' if token else ''}")
    print(f"password={password}")


if __name__ == "__main__":
    main()
