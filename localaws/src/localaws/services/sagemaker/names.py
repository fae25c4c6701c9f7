"""Names that SageMaker generates."""

import secrets
import string

ALPHANUMERIC = string.ascii_letters + string.digits
LOWER_ALPHANUMERIC = string.ascii_lowercase + string.digits


def random_text(length: int, alphabet: str = ALPHANUMERIC) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def step_job_name(execution_id: str, step: str, limit: int, *, prefix: str = "pipelines-") -> str:
    """The name of a step's job: "pipelines-<execution>-<step>-<10 letters>", the step's name cut to fit."""
    start, end = f"{prefix}{execution_id}-", f"-{random_text(10)}"
    allowed = "".join(letter if letter in ALPHANUMERIC else "-" for letter in step)
    return start + allowed[: limit - len(start) - len(end)].strip("-") + end
