"""Runs inside a function's process: loads the handler, calls it with the event, writes what it returned.

Arguments: event file, result file, request id, function ARN, timeout in seconds.
"""

import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any


class Context:
    """The second argument of a handler."""

    def __init__(self, request_id: str, function_arn: str, deadline: float) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = function_arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main() -> None:
    event_file, result_file, request_id, function_arn, timeout_seconds = sys.argv[1:]
    context = Context(request_id, function_arn, time.monotonic() + float(timeout_seconds))
    outcome: dict[str, Any]
    try:
        sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
        module, _, name = os.environ["_HANDLER"].rpartition(".")
        handler = getattr(importlib.import_module(module.replace("/", ".")), name)
        payload = handler(json.loads(Path(event_file).read_text()), context)
        outcome = {"error": None, "payload": json.loads(json.dumps(payload))}
    except Exception as error:  # the runtime reports anything that the handler raises
        print(f"[ERROR] {type(error).__name__}: {error}")
        traceback.print_exc()
        outcome = {
            "error": "Unhandled",
            "payload": {
                "errorMessage": str(error),
                "errorType": type(error).__name__,
                "requestId": request_id,
                "stackTrace": traceback.format_exc().splitlines(keepends=True),
            },
        }
    Path(result_file).write_text(json.dumps(outcome))


if __name__ == "__main__":
    main()
