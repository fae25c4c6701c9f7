"""CodeBuild: projects, and their builds."""

import threading
from datetime import UTC, datetime
from uuid import uuid4

from moto.logs.models import logs_backends

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID, Caller, Credentials
from localaws.core.service import Service
from localaws.services.codebuild.build import BuildRun
from localaws.services.codebuild.project import console_link, log_names, project_defaults, refuse_unsupported
from localaws.services.codebuild.work import BuildFailure, BuildWork, S3Object
from localaws.services.iam.authorization import authorize_session
from localaws.services.logs.writer import LogWriter

SECONDS_PER_MINUTE = 60.0
_PATIENCE_SECONDS = 10.0  # for the end of a stopped build, but not for an AWS call of it that hangs


class CodeBuild(Service):
    name = "codebuild"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._projects: dict[str, Json] = {}
        self._builds: dict[str, BuildRun] = {}
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()
        self._request = threading.local()

    def call(self, operation: str, request: Json, caller: Caller) -> Json:
        self._request.initiator = caller.arn.split(":", 5)[5].partition("/")[2]
        return super().call(operation, request, caller)

    def create_project(self, request: Json) -> Json:
        name = request["name"]
        if name in self._projects:
            raise ServiceError(
                "ResourceAlreadyExistsException", f"Project already exists: {self._arn('project', name)}"
            )
        now = datetime.now(UTC)
        project = {
            **project_defaults(self.account),
            **request,
            "arn": self._arn("project", name),
            "created": now,
            "lastModified": now,
        }
        refuse_unsupported(project)
        self._projects[name] = project
        return {"project": project}

    def update_project(self, request: Json) -> Json:
        changed = {**self._project(request["name"]), **request, "lastModified": datetime.now(UTC)}
        refuse_unsupported(changed)
        self._projects[request["name"]] = changed
        return {"project": changed}

    def delete_project(self, request: Json) -> Json:
        """Stop the builds of the project that still run, and wait for their end."""
        self._projects.pop(request["name"], None)
        self._stop_and_wait(
            [run for run in self._builds.values() if run.record["projectName"] == request["name"]]
        )
        return {}

    def batch_get_projects(self, request: Json) -> Json:
        names = [name.rpartition("/")[2] for name in request["names"]]
        return {
            "projects": [self._projects[name] for name in names if name in self._projects],
            "projectsNotFound": [name for name in names if name not in self._projects],
        }

    def list_projects(self, request: Json) -> Json:
        names = sorted(self._projects, reverse=request.get("sortOrder") == "DESCENDING")
        return {"projects": names}

    def start_build(self, request: Json) -> Json:
        project = self._project(request["projectName"])
        source = {**project["source"]}
        overrides = {
            "type": "sourceTypeOverride",
            "location": "sourceLocationOverride",
            "buildspec": "buildspecOverride",
        }
        supported = {
            "projectName",
            "sourceVersion",
            "environmentVariablesOverride",
            "timeoutInMinutesOverride",
            *overrides.values(),
        }
        strange = sorted(set(request) - supported)
        if strange:
            raise ServiceError(
                "InvalidInputException", f"The local AWS does not support {', '.join(strange)} of StartBuild."
            )
        source.update({member: request[name] for member, name in overrides.items() if name in request})
        if source["type"] == "CODEPIPELINE":
            raise ServiceError(
                "InvalidInputException",
                f"The source of project {project['name']} is CODEPIPELINE: only CodePipeline can start it,"
                " or give sourceTypeOverride and sourceLocationOverride.",
            )
        work = BuildWork()
        if source["type"] == "S3":
            bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
            work = BuildWork(sources={"primary": S3Object(bucket, key)})
        run = self._start(
            project,
            work,
            source=source,
            variables=request.get("environmentVariablesOverride", []),
            initiator=self._request.initiator,
            versions={"sourceVersion": request["sourceVersion"]} if "sourceVersion" in request else {},
            timeout_minutes=request.get("timeoutInMinutesOverride") or project["timeoutInMinutes"],
        )
        return {"build": run.record}

    def start_for_pipeline(
        self,
        project_name: str,
        work: BuildWork,
        *,
        pipeline: str,
        variables: list[Json],
        revision: str | None,
    ) -> BuildRun:
        """Start a build for an action of CodePipeline."""
        project = self._project(project_name)
        if project["source"]["type"] != "CODEPIPELINE":
            raise ServiceError(
                "InvalidInputException",
                f"The source of project {project_name} must be CODEPIPELINE, it is {project['source']['type']}",
            )
        versions = {"sourceVersion": next(iter(work.sources.values())).arn} if work.sources else {}
        if revision is not None:
            versions["resolvedSourceVersion"] = revision
        return self._start(
            project,
            work,
            source=project["source"],
            variables=variables,
            initiator=f"codepipeline/{pipeline}",
            versions=versions,
            timeout_minutes=project["timeoutInMinutes"],
        )

    def batch_get_builds(self, request: Json) -> Json:
        ids = [identifier.rpartition(":build/")[2] for identifier in request["ids"]]
        return {
            "builds": [self._builds[identifier].record for identifier in ids if identifier in self._builds],
            "buildsNotFound": [identifier for identifier in ids if identifier not in self._builds],
        }

    def list_builds(self, request: Json) -> Json:
        ids = list(self._builds)
        return {"ids": ids if request.get("sortOrder") == "ASCENDING" else ids[::-1]}

    def list_builds_for_project(self, request: Json) -> Json:
        self._project(request["projectName"])
        prefix = f"{request['projectName']}:"
        return {
            "ids": [
                identifier for identifier in self.list_builds(request)["ids"] if identifier.startswith(prefix)
            ]
        }

    def stop_build(self, request: Json) -> Json:
        run = self._builds.get(request["id"].rpartition(":build/")[2])
        if run is None:
            raise ServiceError("ResourceNotFoundException", f"Build not found: {request['id']}")
        run.stop()
        return {"build": run.record}

    def close(self) -> None:
        self._stop_and_wait(list(self._builds.values()))

    def _start(
        self,
        project: Json,
        work: BuildWork,
        *,
        source: Json,
        variables: list[Json],
        initiator: str,
        versions: dict[str, str],
        timeout_minutes: int,
    ) -> BuildRun:
        record = self._record(project, source, variables, initiator, timeout_minutes) | versions
        run = BuildRun(
            self.account,
            record,
            work,
            open_log=lambda credentials: self._open_log(record, credentials),
            timeout_seconds=timeout_minutes * SECONDS_PER_MINUTE,
        )
        self._builds[record["id"]] = run
        run.start()
        return run

    def _record(
        self, project: Json, source: Json, variables: list[Json], initiator: str, timeout_minutes: int
    ) -> Json:
        """The build as BatchGetBuilds describes it, numbered within its project."""
        name, uuid = project["name"], str(uuid4())
        with self._lock:
            number = self._numbers[name] = self._numbers.get(name, 0) + 1
        overridden = {variable["name"] for variable in variables}
        kept = [
            item
            for item in project["environment"].get("environmentVariables", [])
            if item["name"] not in overridden
        ]
        now = datetime.now(UTC)
        group, stream = log_names(project, uuid)
        return {
            "id": f"{name}:{uuid}",
            "arn": self._arn("build", f"{name}:{uuid}"),
            "projectName": name,
            "buildNumber": number,
            "startTime": now,
            "currentPhase": "SUBMITTED",
            "buildStatus": "IN_PROGRESS",
            "buildComplete": False,
            "phases": [
                {
                    "phaseType": "SUBMITTED",
                    "phaseStatus": "SUCCEEDED",
                    "startTime": now,
                    "endTime": now,
                    "durationInSeconds": 0,
                }
            ],
            "source": source,
            "artifacts": {"location": ""},
            "environment": {**project["environment"], "environmentVariables": [*kept, *variables]},
            "serviceRole": project["serviceRole"],
            "logs": {
                "groupName": group,
                "streamName": stream,
                "deepLink": console_link(self.account.region, group, stream),
                "cloudWatchLogs": {"status": "ENABLED"},
            },
            "timeoutInMinutes": timeout_minutes,
            "queuedTimeoutInMinutes": project["queuedTimeoutInMinutes"],
            "initiator": initiator,
            "encryptionKey": project["encryptionKey"],
            **({"vpcConfig": project["vpcConfig"]} if project.get("vpcConfig") else {}),
        }

    def _open_log(self, record: Json, credentials: Credentials) -> LogWriter:
        """The log is written by the local AWS, but only where the service role might."""
        group, stream = record["logs"]["groupName"], record["logs"]["streamName"]
        try:
            if group not in logs_backends[ACCOUNT_ID][self.account.region].groups:
                arn = self.account.arn("logs", f"log-group:{group}:*")
                authorize_session(credentials, "logs:CreateLogGroup", arn)
            for verb in ("CreateLogStream", "PutLogEvents"):
                resource = self.account.arn("logs", f"log-group:{group}:log-stream:{stream}")
                authorize_session(credentials, f"logs:{verb}", resource)
        except ServiceError as error:
            raise BuildFailure(
                "ACCESS_DENIED",
                f"Service role {record['serviceRole']} does not allow AWS CodeBuild to create Amazon CloudWatch Logs"
                f" log streams for build {record['arn']}. Error message: {error.message}",
            ) from error
        return LogWriter(self.account, group, stream, credentials)

    def _project(self, name: str) -> Json:
        name = name.rpartition("/")[2]
        if name not in self._projects:
            raise ServiceError(
                "ResourceNotFoundException", f"Project cannot be found: {self._arn('project', name)}"
            )
        return self._projects[name]

    def _arn(self, kind: str, name: str) -> str:
        return self.account.arn("codebuild", f"{kind}/{name}")

    def _stop_and_wait(self, runs: list[BuildRun]) -> None:
        for run in runs:
            run.stop()
        for run in runs:
            run.ended.wait(_PATIENCE_SECONDS)
