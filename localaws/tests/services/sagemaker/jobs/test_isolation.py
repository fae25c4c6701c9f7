"""What a job may do in a container: its user, files, network and packages."""

import io
import json
import uuid
import zipfile
from typing import Any

import pytest

BUCKET = "data-for-jobs"
PROBE = """
import json, os, pathlib, site, socket, sys
def attempt(action):
    try:
        return str(action())
    except OSError as error:
        return type(error).__name__
def connect():
    socket.create_connection(("localhost", int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2])), 2).close()
folders = {"ml": "/opt/ml", "tmp": "/tmp", "etc": "/etc", "packages": site.getsitepackages()[0], "home": "/root"}
found = {name: attempt(lambda: pathlib.Path(path, "new").write_text("x")) for name, path in folders.items()}
found |= {"uid": os.getuid(), "python": sys.version_info[:2], "network": attempt(connect)}
found["index"] = [name for name in os.environ if name.startswith("PIP_")]
pathlib.Path("/opt/ml/processing/output/out/found.json").write_text(json.dumps(found))
"""


@pytest.mark.parametrize("isolated", [False, True])
def test_a_job_is_nobody_and_writes_to_its_own_folders_only(local: Any, isolated: bool) -> None:
    request = script_request(local, {"script.py": PROBE}, NetworkConfig={"EnableNetworkIsolation": isolated})
    described = local.process(request)
    assert described["ProcessingJobStatus"] == "Completed", described
    assert json.loads(local.get(f"{request['ProcessingJobName']}/out/found.json")) == {
        "ml": "1",
        "tmp": "1",
        "etc": "OSError",
        "packages": "OSError",
        "home": "OSError",
        "uid": 65534,
        "python": [3, 12],
        "index": [],
        "network": "ConnectionRefusedError" if isolated else "None",
    }


def script_request(local: Any, files: dict[str, str | bytes], **changes: Any) -> dict[str, Any]:
    """A job that runs script.py of the files."""
    folder = f"files-{uuid.uuid4().hex[:8]}"
    for name, content in files.items():
        local.put(f"{folder}/{name}", content)
    source = {
        "S3Uri": f"s3://{BUCKET}/{folder}/",
        "LocalPath": "/opt/ml/processing/input/raw",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    request: dict[str, Any] = local.processing_request("", **changes)
    request["ProcessingInputs"] = [{"InputName": "raw", "S3Input": source}]
    request["AppSpecification"]["ContainerEntrypoint"][1:] = ["/opt/ml/processing/input/raw/script.py"]
    return request


INSTALLING = """
import subprocess, sys
options = ["--quiet", "--no-deps", "--target", "/tmp/packages", "--requirement", "requirements.txt"]
subprocess.run([sys.executable, "-m", "pip", "install", *options], cwd="/opt/ml/processing/input/raw", check=True)
sys.path.insert(0, "/tmp/packages")
import six
print("six is", six.__version__)
"""


def test_wheels_of_a_job_stand_before_the_image_s_packages(local: Any) -> None:
    """The first job installs them; later ones have them without, and nobody else sees them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as wheel:
        wheel.writestr("six.py", "__version__ = 'mine'")
        wheel.writestr("six-9.9.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: six\nVersion: 9.9.9\n")
        wheel.writestr("six-9.9.9.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("six-9.9.9.dist-info/RECORD", "")
    files: dict[str, str | bytes] = {
        "script.py": INSTALLING,
        "six-9.9.9-py3-none-any.whl": stream.getvalue(),
        "requirements.txt": "--no-index\n--find-links .\nsix==9.9.9\n",
    }
    for _ in range(2):
        request = script_request(local, files)
        described = local.process(request)
        assert described["ProcessingJobStatus"] == "Completed", described
        name = request["ProcessingJobName"]
        assert "six is mine" in local.log_lines("/aws/sagemaker/ProcessingJobs", f"{name}/algo-1-")
    request = local.processing_request("import six; print('six is', six.__version__)")
    assert local.process(request)["ProcessingJobStatus"] == "Completed"
    lines = local.log_lines("/aws/sagemaker/ProcessingJobs", f"{request['ProcessingJobName']}/algo-1-")
    assert lines == ["six is 1.17.0"]


def test_training_installs_requirements(local: Any) -> None:
    request = local.training_request("")
    request["HyperParameters"]["sagemaker_submit_directory"] = local.archive(
        f"{request['TrainingJobName']}/with-requirements.tar.gz",
        {"train.py": "", "requirements.txt": "--no-index\nno-such-package-anywhere\n"},
    )
    described = local.train(request)
    assert described["FailureReason"].startswith("AlgorithmError: framework error")
    lines = local.log_lines("/aws/sagemaker/TrainingJobs", f"{request['TrainingJobName']}/algo-1-")
    assert any("no-such-package-anywhere" in line for line in lines)
