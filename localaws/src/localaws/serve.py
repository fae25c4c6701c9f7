"""`python -m localaws serve ARCHIVE`: a model archive behind the image's real server, without an account or a deployment."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from localaws.runtime.image_environment import ImageEnvironment
from localaws.runtime.processes import ProcessTable
from localaws.services.sagemaker.jobs.storage import unpack


class NotServed(Exception):
    """The machine cannot serve the archive; the text says why."""


def serve(archive: Path, port: int, variables: Mapping[str, str]) -> int:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT, or until the server ends: its exit code.

    As on a serverless endpoint, only /tmp can be written and there is no network. The log goes to stdout.
    """
    processes = ProcessTable()
    try:
        environment = ImageEnvironment(processes)
        container = environment.wait()
        if container is None or not container.isolated:
            raise NotServed(environment.description)
        with tempfile.TemporaryDirectory(prefix="localaws-serve-") as name:
            directory = Path(name)
            ml, tmp = directory / "ml", directory / "tmp"
            (ml / "code").mkdir(parents=True)
            tmp.mkdir()
            own = shutil.copyfile(archive, directory / "model.tar.gz")
            unpack(own, ml / "model")
            sandbox = container.sandbox(
                directory, ml=ml, tmp=tmp, ml_writable=False, network=False, port=port
            )
            command = [str(container.python), str(container.folder / "bin" / "serve")]
            process = processes.start(
                container.isolated_command(sandbox, command),
                environment={**container.environment(), **variables},
                directory=directory,
                on_line=lambda line: print(line, flush=True),
            )
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            try:
                return process.wait()
            except KeyboardInterrupt:
                return 0
            finally:
                process.terminate()
    finally:
        processes.close()
