"""One build, run for real in processes of its own (over 300 lines: its phases from SUBMITTED to COMPLETED)."""

import logging
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from zipfile import BadZipFile

from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import Credentials
from localaws.runtime.archives import pack, unpack
from localaws.runtime.environments import overlay_environment
from localaws.services.codebuild.buildspec import (
    PHASES,
    Artifact,
    Buildspec,
    BuildspecError,
    Phase,
    following_phase,
    parse_buildspec,
    select_files,
)
from localaws.services.codebuild.environment import MissingValue, VariableSources
from localaws.services.codebuild.shell import BuildShell, Deadline, Interrupted
from localaws.services.codebuild.work import BuildFailure, BuildLog, BuildWork
from localaws.services.ec2.interfaces import require_interfaces
from localaws.services.iam.authorization import assume_role

LOG = logging.getLogger("localaws.codebuild")
_RUNTIMES = ("python", "nodejs")  # what the environment of the local AWS has


class BuildRun:
    """Runs a build in a thread and keeps `record`, the build in the API's shape, up to date."""

    def __init__(
        self,
        account: Account,
        record: Json,
        work: BuildWork,
        *,
        open_log: Callable[[Credentials], BuildLog],
        timeout_seconds: float,
    ) -> None:
        self.record = record
        self.ended = threading.Event()
        self._account = account
        self._work = work
        self._open_log = open_log
        self._deadline = monotonic() + timeout_seconds
        self._stop = threading.Event()
        self._folder = account.state_dir / "builds" / record["id"].partition(":")[2]
        self._source_directory = self._folder / "src"
        self._log: BuildLog | None = None
        self._secrets: list[str] = []
        self._thread = threading.Thread(target=self._run, name=record["id"], daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the build with the status STOPPED, unless it has ended."""
        self._stop.set()

    def _run(self) -> None:
        status = "FAULT"
        try:
            status = "SUCCEEDED" if self._build() else "FAILED"
        except Interrupted:
            status = "STOPPED"
        except Deadline:
            status = "TIMED_OUT"
        except BuildFailure:
            status = "FAILED"
        except Exception:
            LOG.exception("%s ended by an error of the local AWS", self.record["id"])
        finally:
            self._finish(status)

    def _build(self) -> bool:
        """Whether the build succeeded; raises after a phase that no other may follow."""
        with self._phase("QUEUED"):
            pass
        with self._phase("PROVISIONING"):
            credentials = assume_role(
                self._account,
                self.record["serviceRole"],
                principal="codebuild.amazonaws.com",
                session_name=f"AWSCodeBuild-{self._folder.name}",
            )
            if vpc := self.record.get("vpcConfig"):
                require_interfaces(
                    self._account,
                    credentials,
                    vpc["subnets"],
                    vpc["securityGroupIds"],
                    "codebuild.amazonaws.com",
                )
            self._log = self._open_log(credentials)
            self._folder.mkdir(parents=True)
            overlay = overlay_environment(self._folder / "environment")
        with self._phase("DOWNLOAD_SOURCE"):
            directories = self._download(credentials)
            spec = self._buildspec(credentials)
            environment = {**overlay, **self._environment(credentials, spec, directories)}
            self._announce(spec, environment)
        shell = BuildShell(
            self._account.processes,
            folder=self._folder / "shell",
            directory=self._source_directory,
            environment=environment,
            shell=spec.shell,
            on_line=self._write,
        )
        try:
            return self._run_phases(spec, shell, credentials)
        finally:
            shell.close()

    def _run_phases(self, spec: Buildspec, shell: BuildShell, credentials: Credentials) -> bool:
        succeeded = True
        name = PHASES[0]
        while name in PHASES:
            phase = spec.phases.get(name, Phase((), (), None))
            failed = False
            try:
                with self._phase(name.upper()):
                    self._run_phase(phase, shell)
            except BuildFailure:
                failed, succeeded = True, False
            name = following_phase(name, failed=failed, on_failure=phase.on_failure)
        self.record["exportedEnvironmentVariables"] = self._exported(spec, shell.variables())
        if name == "UPLOAD_ARTIFACTS":
            try:
                with self._phase(name):
                    self._upload(spec, credentials)
            except BuildFailure:
                succeeded = False
        return succeeded

    def _run_phase(self, phase: Phase, shell: BuildShell) -> None:
        failures = [self._run_commands(shell, block) for block in (phase.commands, phase.finally_commands)]
        for failure in filter(None, failures):
            raise failure

    def _run_commands(self, shell: BuildShell, commands: tuple[str, ...]) -> BuildFailure | None:
        for command in commands:
            self._say(f"Running command {command}")
            status = shell.run(command, deadline=self._deadline, stopped=self._stop.is_set)
            if status != 0:
                self._say(f"Command did not exit successfully {command} exit status {status}")
                shell.export("CODEBUILD_BUILD_SUCCEEDING", "0")
                return BuildFailure(
                    "COMMAND_EXECUTION_ERROR",
                    f"Error while executing command: {command}. Reason: exit status {status}",
                )
        return None

    def _download(self, credentials: Credentials) -> dict[str, str]:
        """Fetch the sources; return the variables that say where they are."""
        self._say("Waiting for DOWNLOAD_SOURCE")
        variables = {"CODEBUILD_SRC_DIR": str(self._source_directory)}
        self._source_directory.mkdir()
        s3: Any = self._account.client("s3", credentials) if self._work.sources else None
        for number, (name, source) in enumerate(self._work.sources.items()):
            folder = self._source_directory
            if number > 0:
                folder = self._folder / f"src_{name}"
                variables[f"CODEBUILD_SRC_DIR_{name}"] = str(folder)
            content = s3.get_object(Bucket=source.bucket, Key=source.key)["Body"].read()
            try:
                unpack(content, folder)
            except BadZipFile as error:
                kind = "primary" if number == 0 else "secondary"
                raise BuildFailure(
                    "CLIENT_ERROR", f"zip: not a valid zip file for {kind} source {source.arn}"
                ) from error
        return variables

    def _buildspec(self, credentials: Credentials) -> Buildspec:
        self._say(f"CODEBUILD_SRC_DIR={self._source_directory}")
        text = self.record["source"].get("buildspec") or "buildspec.yml"
        if text.startswith("arn:aws:s3:::"):
            bucket, _, key = text.removeprefix("arn:aws:s3:::").partition("/")
            body = self._account.client("s3", credentials).get_object(Bucket=bucket, Key=key)["Body"]
            return parse_buildspec(body.read().decode())
        if "\n" in text or text.lstrip().startswith(("{", "version")):
            return parse_buildspec(text)
        path = self._source_directory / text
        self._say(f"YAML location is {path}")
        if not path.is_file():
            raise BuildFailure("YAML_FILE_ERROR", f"stat {path}: no such file or directory")
        return parse_buildspec(path.read_text())

    def _environment(
        self, credentials: Credentials, spec: Buildspec, directories: Mapping[str, str]
    ) -> dict[str, str]:
        self._say("Processing environment variables")
        home = self._folder / "home"
        home.mkdir()
        sources = VariableSources(self._account, credentials)
        self._secrets = sources.secrets
        try:
            return sources.environment(self.record, spec, home=home, directories=directories)
        except MissingValue as error:
            raise BuildFailure("CLIENT_ERROR", str(error)) from error

    def _announce(self, spec: Buildspec, environment: Mapping[str, str]) -> None:
        for section, keys in spec.unidentified_keys.items():
            self._say(
                "Found possible syntax errors in buildspec:\n"
                f"In the section {section}\n\tThe following keys cannot be identified:\n\t\t"
                + "\n\t\t".join(keys)
            )
        install = spec.phases.get("install")
        for runtime, version in (install.runtime_versions if install else {}).items():
            self._select_runtime(runtime, re.sub(r"^\$(\w+)$", lambda m: environment.get(m[1], ""), version))
        self._say(f"Phases found in YAML: {len(spec.phases)}")
        for name, phase in spec.phases.items():
            self._say(f" {name.upper()}: {len(phase.commands)} commands")

    def _select_runtime(self, runtime: str, version: str) -> None:
        if runtime not in _RUNTIMES:
            raise BuildspecError(f"the local AWS has no runtime {runtime}, only {', '.join(_RUNTIMES)}")
        if not re.fullmatch(r"\d+(\.\d+)*(\.x)?|latest", version):
            raise BuildspecError(f"Unknown runtime version named '{version}' of {runtime}.")
        self._say(f"Selecting '{runtime}' runtime version '{version}' based on manual selections...")
        local = f"Python {sys.version.split()[0]}" if runtime == "python" else "the first node on PATH"
        self._say(f"The local AWS builds without an image: {runtime} is {local}")

    def _exported(self, spec: Buildspec, variables: Mapping[str, str]) -> list[Json]:
        """CodeBuild exports neither AWS_ variables nor values of Parameter Store and Secrets Manager."""
        project = self.record["environment"]["environmentVariables"]
        hidden = {item["name"] for item in project if item.get("type", "PLAINTEXT") != "PLAINTEXT"}
        return [
            {"name": name, "value": variables[name]}
            for name in spec.exported_variables
            if name in variables and name not in hidden and not name.startswith("AWS_")
        ]

    def _upload(self, spec: Buildspec, credentials: Credentials) -> None:
        s3: Any = self._account.client("s3", credentials) if self._work.outputs else None
        if spec.artifact is not None and not self._work.outputs:
            self._say("localaws: the artifacts of the buildspec go nowhere: nobody takes them")
        for number, (name, target) in enumerate(self._work.outputs.items()):
            artifact = (
                spec.artifact
                if number == 0 and len(self._work.outputs) == 1
                else spec.secondary_artifacts.get(name)
            )
            if artifact is None:
                raise BuildFailure("CLIENT_ERROR", f"no definition for the artifact {name} in the buildspec")
            metadata = {"codebuild-buildarn": self.record["arn"], "codebuild-content-sha256": ""}
            s3.put_object(Bucket=target.bucket, Key=target.key, Body=self._pack(artifact), Metadata=metadata)

    def _pack(self, artifact: Artifact) -> bytes:
        self._say("Expanding base directory path: " + (artifact.base_directory or "."))
        root = self._source_directory
        files = {
            path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()
        }
        try:
            selected = select_files(files, artifact)
        except LookupError as error:
            raise BuildFailure("CLIENT_ERROR", str(error)) from error
        self._say(f"Found {len(selected)} file(s)")
        return pack({name: files[source] for source, name in selected.items()})

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        """Record a phase: its start, and its status when the body ends."""
        if name in (*map(str.upper, PHASES), "UPLOAD_ARTIFACTS"):
            self._say(f"Entering phase {name}")
        self._enter(name)
        try:
            if self._stop.is_set():
                raise Interrupted
            yield
        except BuildFailure as failure:
            self._complete("FAILED", failure.code, failure.message)
            raise
        except BuildspecError as error:
            self._complete("FAILED", "YAML_FILE_ERROR", str(error))
            raise BuildFailure("YAML_FILE_ERROR", str(error)) from error
        except (ClientError, ServiceError) as error:
            self._complete("FAILED", "CLIENT_ERROR", str(error))
            raise BuildFailure("CLIENT_ERROR", str(error)) from error
        except Deadline:
            self._complete("TIMED_OUT", "BUILD_TIMED_OUT", "Build has timed out. ")
            raise
        except Interrupted:
            self._complete("STOPPED")
            raise
        except Exception as error:
            self._complete("FAULT", "INTERNAL_SERVICE_ERROR", f"{type(error).__name__}: {error}")
            raise
        self._complete("SUCCEEDED")

    def _enter(self, name: str) -> None:
        self.record["currentPhase"] = name
        self.record["phases"].append({"phaseType": name, "startTime": datetime.now(UTC)})

    def _complete(self, status: str, code: str = "", message: str = "") -> None:
        phase = self.record["phases"][-1]
        phase["phaseStatus"] = status
        phase["endTime"] = datetime.now(UTC)
        phase["durationInSeconds"] = round((phase["endTime"] - phase["startTime"]).total_seconds())
        phase["contexts"] = [{"statusCode": code, "message": message}]
        self._say(f"Phase complete: {phase['phaseType']} State: {status}")
        self._say(f"Phase context status code: {code} Message: {message}")
        self._account.publish_event(
            source="aws.codebuild",
            detail_type="CodeBuild Build Phase Change",
            detail={
                "project-name": self.record["projectName"],
                "build-id": self.record["arn"],
                "completed-phase": phase["phaseType"],
                "completed-phase-status": status,
                "completed-phase-context": f"[{code}: {message}]",
                "additional-information": {
                    "initiator": self.record["initiator"],
                    "logs": {"deep-link": self.record["logs"].get("deepLink", "")},
                },
            },
            resources=[self.record["arn"]],
        )

    def _finish(self, status: str) -> None:
        try:
            self._enter("FINALIZING")
            if self._folder.exists():
                shutil.rmtree(self._folder)
            self._complete("SUCCEEDED")
            self._enter("COMPLETED")
            if self._log is not None:
                self._log.close()
        finally:
            self.record.update(buildStatus=status, endTime=datetime.now(UTC), buildComplete=True)
            LOG.info("%s %s", self.record["id"], status)
            self.ended.set()

    def _say(self, message: str) -> None:
        self._write(f"[Container] {datetime.now(UTC):%Y/%m/%d %H:%M:%S.%f} {message}")

    def _write(self, line: str) -> None:
        for secret in self._secrets:
            line = line.replace(secret, "***")
        if self._log is not None:
            self._log.write(line)
