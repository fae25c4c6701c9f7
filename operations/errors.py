"""The end of a command that cannot go on: one sentence on stderr and exit status 1."""

import os
import signal
import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from ml_code.contracts import RETRIES

LOCAL_HINT = 'For the local AWS: make up, then eval "$(make env)".'

# Errors besides ours that say in a sentence what is wrong: of modules that not every command loads, for they take seconds.
_SENTENCES = {
    "ml_code.raw_files": "RawFileError",
    "ml_code.table.columns": "SchemaError",
    "ml_code.spec": "SpecError",
    "ml_code.tracking.model_registry": "RegistryError",
    "ml_code.verification.invoke": "VerificationError",
    "mlflow.exceptions": "MlflowException",
}


class OperationError(Exception):
    """A fault that a person can put right; the message says how."""


def is_denied(error: ClientError) -> bool:
    """Whether the caller lacks a permission; services write the code differently."""
    return str(error.response["Error"]["Code"]).startswith("AccessDenied")


def _interrupt(number: int, _frame: object) -> None:
    """Interrupt like Ctrl-C: end what was started, and ignore further signals meanwhile."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def run(main: Callable[[], int | None]) -> None:
    """Run a command's main; a user's mistake ends in one sentence on stderr and exit code 1."""
    for name, value in RETRIES.items():
        os.environ.setdefault(name, value)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _interrupt)
    try:
        sys.exit(main() or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except OperationError as error:
        sys.exit(str(error))
    except (NoCredentialsError, NoRegionError) as error:
        sys.exit(f"{error} {LOCAL_HINT}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS: {error}")
    except Exception as error:
        loaded = [
            getattr(sys.modules[name], kind) for name, kind in _SENTENCES.items() if name in sys.modules
        ]
        if not isinstance(error, tuple(loaded)):
            raise
        sys.exit(str(error))
