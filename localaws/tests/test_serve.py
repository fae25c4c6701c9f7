"""`localaws serve`: an archive behind the image's real server."""

import io
import os
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

import pytest

from tests.test_cli import free_port, localaws

WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Server", "own")])
    return [f"{environ['SERVER_SOFTWARE']} {open('/opt/ml/model/word').read()}".encode()]
"""


def archive(folder: Path) -> Path:
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in {"code/wsgi.py": WSGI, "word": "hello"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return path


@pytest.mark.skipif("LOCALAWS_SKIP_IMAGE_TESTS" in os.environ, reason="needs the image's environment")
def test_gunicorn_serves_the_archive_until_it_is_ended(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "localaws", "serve", str(archive(tmp_path)), "--port", str(port)]
    variables = {
        "SAGEMAKER_SERVING_MODULE": "wsgi:app",
        "SAGEMAKER_USE_NGINX": "false",
        "SAGEMAKER_BASE_DIR": "/tmp/sagemaker",  # noqa: S108 - the container's own
        "HOME": "/tmp",  # noqa: S108
        "PYTHONPATH": "/opt/ml/model/code",
    }
    for name, value in variables.items():
        command += ["--env", f"{name}={value}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            answer = None
            while answer is None:
                assert process.poll() is None, process.communicate()[0]
                try:
                    answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).read()
                except OSError:
                    time.sleep(0.1)
        finally:
            process.terminate()
            process.wait(30)
    assert answer.startswith(b"gunicorn/")
    assert answer.endswith(b" hello")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5)


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_text("no archive")
    answer = localaws("serve", str(path), "--port", str(free_port()))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"localaws: {path} is not served: ")
    assert "Traceback" not in answer.stderr
