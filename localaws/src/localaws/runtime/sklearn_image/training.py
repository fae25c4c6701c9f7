"""sagemaker_sklearn_container.training of the image, which no package index has: what `train` calls for a script.

It runs the script that the job's hyperparameters name, by AWS's real sagemaker_training. This file is copied into the
image's environment and imports what is there.
"""

import logging

from sagemaker_training import entry_point, environment, runner


def main() -> None:
    job = environment.Environment()
    logging.getLogger(__name__).info("Invoking user training script.")
    entry_point.run(
        uri=job.module_dir,
        user_entry_point=job.user_entry_point,
        args=job.to_cmd_args(),
        env_vars=job.to_env_vars(),
        runner_type=runner.ProcessRunnerType,
    )
