"""One training job, from its data to its model."""

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from localaws.core.errors import Json
from localaws.core.identity import Credentials
from localaws.core.listing import now
from localaws.services.sagemaker.jobs import toolkit
from localaws.services.sagemaker.jobs.checkpoints import DEFAULT_PATH, synchronised
from localaws.services.sagemaker.jobs.container import TRAIN, Container
from localaws.services.sagemaker.jobs.host import Host
from localaws.services.sagemaker.jobs.job import Job, JobFailed, JobKind, JobStopped
from localaws.services.sagemaker.jobs.request import output_encryption
from localaws.services.sagemaker.jobs.storage import download_file, pack, unpack, upload_file

KIND = JobKind("training-job", "TrainingJob", "/aws/sagemaker/TrainingJobs")


DEFAULT_MAX_RUNTIME_SECONDS = 86_400
OnMetric = Callable[[str, float], None]


class TrainingJob(Job):
    kind = KIND

    def __init__(
        self, host: Host, request: Json, *, tuning_job_arn: str = "", on_metric: OnMetric | None = None
    ) -> None:
        super().__init__(host, request)
        output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        self._output_uri = f"{output}/{self.name}/output"
        self._metrics = MetricWatch(request["AlgorithmSpecification"].get("MetricDefinitions", []), on_metric)
        self._deadline = float("inf")
        self.description |= {
            "ModelArtifacts": {"S3ModelArtifacts": f"{self._output_uri}/model.tar.gz"},
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [],
            **({"TuningJobArn": tuning_job_arn} if tuning_job_arn else {}),
            # No instance outlives its job here, even with KeepAlivePeriodInSeconds.
            **({"WarmPoolStatus": {"Status": "Terminated"}} if _keeps_alive(request) else {}),
        }
        self._enter("Starting", "Starting the training job")

    def metric(self, name: str) -> float | None:
        """The metric's last value, once the job logged one."""
        found = self._metrics.values.get(name)
        return None if found is None else found["Value"]

    def _work(self, containers: list[Container], credentials: Credentials) -> None:
        s3 = self._account.client("s3", credentials)
        self._enter("Downloading", "Downloading input data")
        for container in containers:
            self._lay_out(container, s3)
        self._enter("Training", "Training image download completed. Training in progress.")
        limit = self.request["StoppingCondition"].get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS)
        self._deadline = time.monotonic() + limit
        self._change(TrainingStartTime=now())
        try:
            self._on_each_host(containers, lambda container: self._run_host(container, credentials, s3))
        except JobStopped:
            self._upload(containers, s3)  # SageMaker keeps what a stopped job wrote
            raise
        except JobFailed:
            self._upload_archive(s3, containers, "/opt/ml/output/data", "output.tar.gz")
            raise
        finally:
            self._change(FinalMetricDataList=list(self._metrics.values.values()))
            self._finish_times()
        self._enter("Uploading", "Uploading generated training model")
        self._upload(containers, s3)

    def _run_host(self, container: Container, credentials: Credentials, s3: Any) -> None:
        checkpoints = self.request.get("CheckpointConfig")
        directory = container.path((checkpoints or {}).get("LocalPath", DEFAULT_PATH))
        with closing(self._log(credentials, container)) as log, synchronised(s3, checkpoints, directory):
            self._train(container, credentials, s3, log.write)

    def _upload_archive(self, s3: Any, containers: list[Container], path: str, name: str) -> None:
        """The files of all hosts as one archive; of equal names, those of the last host."""
        archive = containers[0].directory / name
        if pack([container.path(path) for container in containers], archive):
            upload_file(s3, archive, f"{self._output_uri}/{name}", output_encryption(self.request))

    def _end(self, status: str, reason: str) -> None:
        super()._end(status, reason)
        if status != "Stopped" or self.description["SecondaryStatus"] not in (
            "MaxRuntimeExceeded",
            "Stopped",
        ):
            self._enter(status, "Training job completed" if status == "Completed" else reason)

    def _lay_out(self, container: Container, s3: Any) -> None:
        """/opt/ml as a training container finds it."""
        for path in ("input/config", "input/data", "model", "output/data", "output/intermediate", "code"):
            (container.root / path).mkdir(parents=True)
        for channel in self.request.get("InputDataConfig", []):
            directory = container.root / "input" / "data" / channel["ChannelName"]
            self._download(s3, channel["DataSource"]["S3DataSource"], directory, container)
        config = container.root / "input" / "config"
        hyperparameters = container.localise(self.request.get("HyperParameters", {}))
        resources = toolkit.resource_config(
            self.request["ResourceConfig"]["InstanceType"], container.name, container.cluster.names
        )
        for name, value in {
            "hyperparameters": hyperparameters,
            "resourceconfig": resources,
            "inputdataconfig": self._channels(),
        }.items():
            (config / f"{name}.json").write_text(json.dumps(value))

    def _channels(self) -> Json:
        return {
            channel["ChannelName"]: {
                **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
                "TrainingInputMode": "File",
                "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                    "S3DataDistributionType", "FullyReplicated"
                ),
                "RecordWrapperType": "None",
            }
            for channel in self.request.get("InputDataConfig", [])
        }

    def _train(
        self, container: Container, credentials: Credentials, s3: Any, write: Callable[[str], None]
    ) -> None:
        specification = self.request["AlgorithmSpecification"]
        environment = container.environment(
            aws={
                **self._account.environment(credentials),
                "TRAINING_JOB_NAME": self.name,
                "TRAINING_JOB_ARN": self.arn,
                "CURRENT_HOST": container.name,
                "SAGEMAKER_REGION": self._account.region,
                "SAGEMAKER_JOB_NAME": "",
            },
            request=self.request.get("Environment", {}),
        )
        if "ContainerEntrypoint" in specification:
            command = [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", [])]
            self._run_command(container, command, environment, None, write, error_class=None)
            return
        if container.image is not None:
            self._run_command(container, [TRAIN], environment, None, write, error_class=None)
            return
        self._run_script(container, environment, s3, write)

    def _run_script(
        self, container: Container, environment: dict[str, str], s3: Any, write: Callable[[str], None]
    ) -> None:
        hyperparameters = toolkit.decoded(container.localise(self.request.get("HyperParameters", {})))
        own, script = toolkit.split(hyperparameters)
        program, source = own.get(toolkit.PROGRAM), own.get(toolkit.SUBMIT_DIRECTORY)
        if not program or not source:
            raise JobFailed(
                "AlgorithmError: Framework Error: the scikit-learn image runs the script that the "
                f"hyperparameters {toolkit.PROGRAM} and {toolkit.SUBMIT_DIRECTORY} name; they were "
                f"{program!r} and {source!r}."
            )
        code = container.root / "code"
        archive = container.directory / "source.tar.gz"
        download_file(s3, source, archive)
        unpack(archive, code)
        python = container.python
        environment |= toolkit.script_environment(
            root=container.root.absolute(),
            job_name=self.name,
            instance_type=self.request["ResourceConfig"]["InstanceType"],
            hyperparameters=hyperparameters,
            channels=self._channels(),
        )
        environment["PYTHONPATH"] = str(code.absolute())
        if (code / "requirements.txt").is_file():
            self._install(container, environment, code, write)
        if not (code / program).is_file():
            raise JobFailed(f"AlgorithmError: Framework Error: there is no {program!r} in {source}.")
        command = toolkit.entry_command(python, code, program, toolkit.command_arguments(script))
        self._run_command(container, command, environment, code, write, "ExecuteUserScriptError")

    def _install(
        self, container: Container, environment: dict[str, str], code: Path, write: Callable[[str], None]
    ) -> None:
        command = [container.python, "-m", "pip", "install", "-r", "requirements.txt"]
        with self._host.met_requirements.asked(code) as lines:
            if lines:
                for line in lines:
                    write(line)
                return
            printed: list[str] = []

            def keep(line: str) -> None:
                printed.append(line)
                write(line)

            self._run_command(container, command, environment, code, keep, "InstallRequirementsError")
            if not container.installed():
                lines += printed

    def _run_command(
        self,
        container: Container,
        command: list[str],
        environment: dict[str, str],
        working_directory: Path | None,
        write: Callable[[str], None],
        error_class: str | None,
    ) -> None:
        """Raise JobFailed with what the toolkit would report; a bare container reports its own file."""
        errors = toolkit.ErrorWatch()

        def on_line(line: str) -> None:
            write(line)
            errors(line)
            self._metrics(line)

        code = self._execute(
            container,
            command,
            environment=environment,
            working_directory=working_directory,
            on_line=on_line,
            deadline=self._deadline,
        )
        if code == 0:
            return
        if error_class is not None:
            text = toolkit.failure_text(error_class, code, errors.message, command)
        else:
            written = container.root / "output" / "failure"
            text = written.read_text(errors="replace") if written.is_file() else ""
        raise JobFailed(f"AlgorithmError: {text}, exit code: {code}")

    def _upload(self, containers: list[Container], s3: Any) -> None:
        self._upload_archive(s3, containers, "/opt/ml/model", "model.tar.gz")
        self._upload_archive(s3, containers, "/opt/ml/output/data", "output.tar.gz")

    def _finish_times(self) -> None:
        end = now()
        seconds = int((end - self.description["TrainingStartTime"]).total_seconds())
        self._change(
            TrainingEndTime=end, TrainingTimeInSeconds=seconds, BillableTimeInSeconds=max(1, seconds)
        )

    def _enter(self, status: str, message: str) -> None:
        moment = now()
        with self.lock:
            transitions = [dict(item) for item in self.description["SecondaryStatusTransitions"]]
            if transitions:
                transitions[-1]["EndTime"] = moment
            transitions.append({"Status": status, "StartTime": moment, "StatusMessage": message})
            self.description |= {"SecondaryStatus": status, "SecondaryStatusTransitions": transitions}


def _keeps_alive(request: Json) -> bool:
    return bool(request["ResourceConfig"].get("KeepAlivePeriodInSeconds"))


class MetricWatch:
    """Reads metrics from log lines; keeps the last value of each, and hands each value on."""

    def __init__(self, definitions: list[Json], on_metric: OnMetric | None = None) -> None:
        self._on_metric = on_metric
        self._patterns = [(item["Name"], re.compile(item["Regex"])) for item in definitions]
        self._lock = threading.Lock()
        self.values: dict[str, Json] = {}

    def __call__(self, line: str) -> None:
        for name, pattern in self._patterns:
            if matched := pattern.search(line):
                try:
                    value = float(matched.group(1))
                except ValueError:  # SageMaker ignores what is no number
                    continue
                with self._lock:
                    self.values[name] = {"MetricName": name, "Value": value, "Timestamp": now()}
                if self._on_metric:
                    self._on_metric(name, value)
