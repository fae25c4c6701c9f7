"""The CDK app: read the settings and what git knows of the project, build the stack, synthesise."""

import gc

# The imports make a million objects that stay: looking for garbage among them costs a fifth of a synth.
gc.disable()

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from aws_cdk import App

from ml_code.spec import MODEL_YAML, load_specs, model_folders
from stacks.model_factory_stack import ModelFactoryStack
from stacks.settings.context import read_config
from stacks.template_limits import check_size

# The CLI sets it from the credentials, the profile or AWS_REGION; a synth without any of them gets this one.
FALLBACK_REGION = "us-east-1"


def main() -> None:
    app = App(analytics_reporting=False)
    try:
        config = read_config(app.node.get_all_context())
        stack = ModelFactoryStack(
            app,
            config=config,
            specs=load_specs(),
            project_files=tracked_files(Path(__file__).parent) if config.source.type == "codecommit" else {},
            account=os.environ.get("CDK_DEFAULT_ACCOUNT"),
            region=os.environ.get("CDK_DEFAULT_REGION", FALLBACK_REGION),
        )
        template = app.synth().get_stack_by_name(stack.stack_name).template_full_path
        check_size(Path(template).stat().st_size, model_count=len(stack.models))
    except ValueError as error:  # a setting, a field of model.yaml, the region: each says what is allowed
        sys.exit(str(error))


def tracked_files(project: Path) -> Mapping[str, Path]:
    """The files that git knows, by path in the project: neither ignored files nor those never added."""
    command = ["git", "-C", str(project), "ls-files", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", b"").decode(errors="replace").strip() or error
        raise ValueError(
            f"The new repository gets the files that git knows of {project}, which git cannot list: {reason}. "
            "In a folder that is no clone: git init && git add --all"
        ) from error
    names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    files = {name: project / name for name in names if (project / name).is_file()}
    for folder in model_folders():
        if (model := (folder / MODEL_YAML).as_posix()) not in files:
            raise ValueError(
                f"git does not know {model}, and the new repository gets what git knows: git add {folder}"
            )
    return files


if __name__ == "__main__":
    main()
