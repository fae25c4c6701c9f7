"""The work of the sagemaker-training toolkit in the scikit-learn image before and after a script runs.

See aws/sagemaker-training-toolkit: environment.py, mapping.py, process.py, errors.py.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localaws.core.errors import Json

PREFIX = "sagemaker_"
TUNING_METRIC = "_tuning_objective_metric"
PROGRAM = "sagemaker_program"
SUBMIT_DIRECTORY = "sagemaker_submit_directory"
HOST = "algo-1"
INSTANCE_GROUP = "homogeneousCluster"
CPUS = 1
LOG_LEVEL_INFO = 20
# A line with one of these words starts the error message that the toolkit reports.
ERROR_WORDS = ("Error", "Exception", "Invalid requirement", "ORTE")


def decoded(hyperparameters: Mapping[str, str]) -> Json:
    """Return each value parsed as JSON, or unchanged if it is not JSON."""
    return {name: _decoded(value) for name, value in hyperparameters.items()}


def split(hyperparameters: Json) -> tuple[Json, Json]:
    """The toolkit's own hyperparameters, and those of the script."""
    own = {
        name: value
        for name, value in hyperparameters.items()
        if name.startswith(PREFIX) or name == TUNING_METRIC
    }
    return own, {name: value for name, value in hyperparameters.items() if name not in own}


def command_arguments(hyperparameters: Json) -> list[str]:
    """--name value …, sorted by name; one dash for names of one letter."""
    arguments: list[str] = []
    for name in sorted(hyperparameters):
        value = hyperparameters[name]
        if isinstance(value, dict):
            text = ",".join(f"{key}={item}" for key, item in sorted(value.items()))
        else:
            text = "" if value is None else str(value)
        arguments += [f"--{name}" if len(name) > 1 else f"-{name}", text]
    return arguments


def resource_config(instance_type: str, host: str = HOST, hosts: Sequence[str] = (HOST,)) -> Json:
    return {
        "current_host": host,
        "current_instance_type": instance_type,
        "current_group_name": INSTANCE_GROUP,
        "hosts": list(hosts),
        "instance_groups": [
            {"instance_group_name": INSTANCE_GROUP, "instance_type": instance_type, "hosts": list(hosts)}
        ],
        "network_interface_name": "eth0",
    }


def script_environment(
    *, root: Path, job_name: str, instance_type: str, hyperparameters: Json, channels: Json
) -> dict[str, str]:
    """The SM_* variables; `channels` is inputdataconfig.json, `root` stands for /opt/ml."""
    own, script = split(hyperparameters)
    program = str(own.get(PROGRAM, ""))
    resources = resource_config(instance_type)
    channel_directories = {name: str(root / "input" / "data" / name) for name in channels}
    framework = {k: v for k, v in own.items() if k not in (PROGRAM, SUBMIT_DIRECTORY, TUNING_METRIC)}
    values: Json = {
        "hosts": [HOST],
        "network_interface_name": "eth0",
        "hps": script,
        "user_entry_point": program,
        "framework_params": {k: v for k, v in framework.items() if k not in _NAMED_PARAMETERS},
        "resource_config": resources,
        "input_data_config": channels,
        "output_data_dir": str(root / "output" / "data"),
        "channels": sorted(channels),
        "current_host": HOST,
        "current_instance_type": instance_type,
        "current_instance_group": INSTANCE_GROUP,
        "current_instance_group_hosts": [HOST],
        "instance_groups": [INSTANCE_GROUP],
        "instance_groups_dict": {INSTANCE_GROUP: resources["instance_groups"][0]},
        "distribution_instance_groups": [],
        "is_hetero": False,
        "module_name": program.removesuffix(".py"),
        "log_level": int(own.get("sagemaker_container_log_level", LOG_LEVEL_INFO)),
        "framework_module": "sagemaker_sklearn_container.training:main",
        "input_dir": str(root / "input"),
        "input_config_dir": str(root / "input" / "config"),
        "output_dir": str(root / "output"),
        "num_cpus": CPUS,
        "num_gpus": 0,
        "num_neurons": 0,
        "model_dir": str(root / "model"),
        "module_dir": str(own.get(SUBMIT_DIRECTORY, root / "code")),
        "user_args": command_arguments(script),
        "output_intermediate_dir": str(root / "output" / "intermediate"),
    }
    values["training_env"] = {
        **{key: value for key, value in values.items() if key not in ("hps", "user_args", "channels")},
        "hyperparameters": script,
        "channel_input_dirs": channel_directories,
        "job_name": job_name,
        "is_master": True,
        "master_hostname": HOST,
    }
    for name, path in channel_directories.items():
        values[f"channel_{name}"] = path
    for name, value in script.items():
        values[f"hp_{name}"] = value
    return {f"SM_{name.upper()}": _environment_text(value) for name, value in values.items()}


@dataclass
class ErrorWatch:
    """The log lines that the toolkit reports as ErrorMessage: all from the first one with an error's name."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        if self.lines or any(word in line for word in ERROR_WORDS):
            stripped = line.strip(" :\n")
            if stripped not in self.lines:
                self.lines.append(stripped)

    @property
    def message(self) -> str:
        return "\n ".join(self.lines)


def failure_text(error_class: str, exit_code: int, message: str, command: Sequence[str]) -> str:
    """The text that the toolkit writes to /opt/ml/output/failure."""
    extra = ""
    if exit_code in (137, -9):
        exit_code, extra = 137, '\nExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"'
    return f'{error_class}:\nExitCode {exit_code}\nErrorMessage "{message}"{extra}\nCommand "{" ".join(command)}"'


def entry_command(python: str, code: Path, program: str, arguments: Sequence[str]) -> list[str]:
    """A package is run with -m, a script by its name, anything else by a shell."""
    if (code / "setup.py").is_file():
        return [python, "-m", program.removesuffix(".py"), *arguments]
    if program.endswith(".py"):
        return [python, program, *arguments]
    return ["/bin/sh", "-c", " ".join([f"./{program}", *map(shlex.quote, arguments)])]


_NAMED_PARAMETERS = (
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_region",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "sagemaker_s3_output",
)


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _environment_text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
