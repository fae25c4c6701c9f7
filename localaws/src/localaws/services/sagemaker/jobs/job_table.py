"""All jobs of one kind."""

import threading
from collections.abc import Sequence
from typing import Any

from localaws.core.errors import Json, ServiceError
from localaws.core.listing import sorted_page
from localaws.services.sagemaker.jobs.job import Job, JobKind
from localaws.services.sagemaker.shared import Shared

ENDED = ("Completed", "Failed", "Stopped")


class JobTable:
    """All jobs of one kind by name, in any case, as an ARN has it in lower case; a name is never used twice."""

    def __init__(self, kind: JobKind) -> None:
        self._kind = kind
        self._jobs: dict[str, Any] = {}
        self._lock = threading.Lock()

    def add(self, job: Any) -> None:
        with self._lock:
            if job.name.lower() in self._jobs:
                raise ServiceError(
                    "ResourceInUse",
                    f"Job name must be unique within an AWS account and region, and a "
                    f"{self._kind.resource.replace('-', ' ')} with this name already exists ({job.arn})",
                )
            self._jobs[job.name.lower()] = job

    def get(self, name: str) -> Any:
        job = self._jobs.get(name.lower())
        if job is None:
            raise ServiceError("ValidationException", f"Could not find requested job with name: {name}")
        return job

    def all(self) -> list[Any]:
        with self._lock:
            return list(self._jobs.values())

    def running(self) -> list[Any]:
        return [job for job in self.all() if job.status not in ENDED]

    def launch(self, shared: Shared, job: Job) -> None:
        self.add(job)
        shared.tags.set(job.arn, job.request.get("Tags", []))
        job.start(shared.job_ended)

    def page(self, request: Json, summaries: Sequence[Json]) -> Json:
        """One page of a List response."""
        kind = self._kind.api_name
        return sorted_page(
            request, summaries, member=f"{kind}Summaries", name=f"{kind}Name", status=f"{kind}Status"
        )
