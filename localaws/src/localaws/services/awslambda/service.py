"""Lambda functions for real: the zip that moto keeps runs in a process with the credentials of the function's role.

Everything but Invoke is moto's: creation, configuration, tags, permissions.
"""

import base64
import io
import json
import logging
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import TimeoutExpired
from uuid import uuid4

from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import LambdaFunction, lambda_backends

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID, Credentials
from localaws.services.awslambda.log_groups import LOG_GROUPS
from localaws.services.iam.authorization import assume_role
from localaws.services.iam.policies import Decision, Request, decide
from localaws.services.logs.writer import LogWriter

LOG = logging.getLogger("localaws.lambda")
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
LOG_TAIL_BYTES = 4096
# A burst of events waits for its turn, as it does where a function's concurrency is used up.
_ASYNCHRONOUS = threading.BoundedSemaphore(4)


@dataclass(frozen=True)
class Invocation:
    payload: str
    error: str | None  # "Unhandled", as the header X-Amz-Function-Error has it
    log: str

    @property
    def error_message(self) -> str:
        return str(json.loads(self.payload).get("errorMessage", self.payload)) if self.error else ""


def find_function(account: Account, name_or_arn: str) -> LambdaFunction:
    name = name_or_arn.split(":function:")[-1].split(":")[0]
    backend = lambda_backends[ACCOUNT_ID][account.region]
    try:
        function: LambdaFunction = backend.get_function(name)
    except UnknownFunctionException:
        raise ServiceError(
            "ResourceNotFoundException",
            f"Function not found: {account.arn('lambda', f'function:{name}')}",
            404,
        ) from None
    return function


def invoke(account: Account, name_or_arn: str, event: str) -> Invocation:
    """Run the function to its end, or to its timeout."""
    function = find_function(account, name_or_arn)
    if function.package_type != "Zip" or not str(function.run_time).startswith("python"):
        raise ServiceError(
            "InvalidRuntimeException",
            f"The local AWS runs zipped Python functions only; {function.function_name} is {function.package_type} "
            f"with runtime {function.run_time}.",
            502,
        )
    with tempfile.TemporaryDirectory(
        dir=_directory(account), prefix=f"{function.function_name}-"
    ) as directory:
        return _run(account, function, event, Path(directory))


def _run(account: Account, function: LambdaFunction, event: str, directory: Path) -> Invocation:
    request_id = str(uuid4())
    group = LOG_GROUPS.get(function.function_name, function.logs_group_name)
    stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid4().hex}"
    credentials = assume_role(
        account, function.role, principal="lambda.amazonaws.com", session_name=function.function_name
    )
    writer = LogWriter(account, group, stream, credentials)
    lines: list[str] = []

    def log(line: str) -> None:
        lines.append(line)
        writer.write(line)

    code, result_file = directory / "code", directory / "result.json"
    with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
        archive.extractall(code)
    (directory / "event.json").write_text(event)
    timeout_seconds = float(function.timeout)
    arguments = [str(directory / "event.json"), str(result_file), request_id, function.function_arn]
    log(f"START RequestId: {request_id} Version: $LATEST")
    started = time.monotonic()
    process = account.processes.start(
        [sys.executable, str(BOOTSTRAP), *arguments, str(timeout_seconds)],
        environment=_environment(account, function, credentials, directory, group, stream),
        directory=code,
        on_line=log,
    )
    timed_out = False
    try:
        exit_code = process.wait(timeout_seconds)
    except TimeoutExpired:
        process.kill()
        exit_code, timed_out = process.wait(), True
    milliseconds = (time.monotonic() - started) * 1000
    log(f"END RequestId: {request_id}")
    log(
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\tMemory Size: {function.memory_size} MB"
    )
    outcome: Json
    if timed_out:
        message = f"{request_id} Task timed out after {timeout_seconds:.2f} seconds"
        log(message)
        outcome = _unhandled(message, "Sandbox.Timedout")
    elif result_file.exists():
        outcome = json.loads(result_file.read_text())
    else:
        message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {exit_code}"
        outcome = _unhandled(message, "Runtime.ExitError")
    return Invocation(json.dumps(outcome["payload"]), outcome["error"], "\n".join(lines))


def _unhandled(message: str, type_: str) -> Json:
    return {"error": "Unhandled", "payload": {"errorMessage": message, "errorType": type_}}


def _environment(
    account: Account,
    function: LambdaFunction,
    credentials: Credentials,
    directory: Path,
    group: str,
    stream: str,
) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **account.environment(credentials),
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LAMBDA_TASK_ROOT": str(directory / "code"),
        "_HANDLER": str(function.handler),
        **{key: str(value) for key, value in function.environment_vars.items()},
    }


def _directory(account: Account) -> Path:
    directory = account.state_dir / "lambda"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def invoke_for_service(
    account: Account, arn: str, event: str, *, principal: str, source_arn: str | None = None
) -> None:
    """Invoke a function asynchronously for another service.

    With `source_arn` the function's own policy must allow the service; a service that has assumed a role that
    may invoke the function comes without.
    """
    function = find_function(account, arn)
    if source_arn is not None:
        policy = json.dumps({"Version": "2012-10-17", "Statement": function.policy.statements})
        context = {"aws:sourcearn": [source_arn], "aws:sourceaccount": [ACCOUNT_ID]}
        request = Request("lambda:InvokeFunction", arn, context, principals=frozenset({principal}))
        if decide([policy], request) is not Decision.ALLOWED:
            raise ServiceError(
                "AccessDenied",
                f"{principal} is not authorized to perform: lambda:InvokeFunction on resource: {arn} for "
                f"{source_arn} because no resource-based policy allows it",
                403,
            )
    threading.Thread(target=_invoke_unwatched, args=(account, arn, event), daemon=True).start()


def answer_invoke(account: Account, request: Json) -> Json:
    """The operation Invoke of the API."""
    name = request["FunctionName"]
    payload = request.get("Payload") or b"{}"
    event = payload.decode() if isinstance(payload, bytes) else str(payload)
    kind = request.get("InvocationType", "RequestResponse")
    find_function(account, name)
    if kind == "DryRun":
        return {"StatusCode": 204}
    if kind == "Event":
        threading.Thread(target=_invoke_unwatched, args=(account, name, event), daemon=True).start()
        return {"StatusCode": 202}
    invocation = invoke(account, name, event)
    answer = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": invocation.payload.encode()}
    if invocation.error:
        answer["FunctionError"] = invocation.error
    if request.get("LogType") == "Tail":
        answer["LogResult"] = base64.b64encode(invocation.log.encode()[-LOG_TAIL_BYTES:]).decode()
    return answer


OPERATIONS = {"Invoke": answer_invoke}


def _invoke_unwatched(account: Account, name: str, event: str) -> None:
    try:
        with _ASYNCHRONOUS:
            invocation = invoke(account, name, event)
    except ServiceError as error:
        LOG.error("asynchronous invocation of %s: %s", name, error.message)
        return
    if invocation.error:
        LOG.error("asynchronous invocation of %s: %s", name, invocation.error_message)
