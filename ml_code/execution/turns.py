"""A bounded number of models that train at once: the builds of the others wait."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ml_code.contracts import Variable

if TYPE_CHECKING:
    from types_boto3_codebuild import CodeBuildClient
    from types_boto3_codebuild.type_defs import BuildTypeDef

POLL_SECONDS = 5.0
# CodePipeline runs one build of a model at a time: the newest ids of its project have it.
_NEWEST = 5


def wait_for_turn(environment: Mapping[str, str], codebuild: "CodeBuildClient") -> None:
    """Wait until fewer builds than may train at once have started before this one and are not over."""
    if Variable.BUILD_PROJECTS not in environment:
        return
    projects = json.loads(environment[Variable.BUILD_PROJECTS])
    limit, own = int(environment[Variable.MAX_PARALLEL_TRAININGS]), environment["CODEBUILD_BUILD_ID"]
    said: list[str] = []
    while True:
        running = sorted(_running(codebuild, projects), key=lambda build: (build["startTime"], build["id"]))
        ids = [build["id"] for build in running]
        before = ids[: ids.index(own)] if own in ids else []
        if len(before) < limit:
            return
        if before != said:
            print(f"waiting: {limit} models train at once, before this one {', '.join(before)}", flush=True)
            said = before
        time.sleep(POLL_SECONDS)


def _running(codebuild: "CodeBuildClient", projects: list[str]) -> Iterator["BuildTypeDef"]:
    ids = []
    for project in projects:
        found = codebuild.list_builds_for_project(projectName=project, sortOrder="DESCENDING")
        ids += found.get("ids", [])[:_NEWEST]
    for build in codebuild.batch_get_builds(ids=ids)["builds"]:
        if build["buildStatus"] == "IN_PROGRESS":
            yield build
