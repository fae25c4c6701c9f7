import os
import subprocess
import sys
from pathlib import Path

from localaws.runtime.environments import machine_environment, overlay_environment


def run(directory: Path, environment: dict[str, str], *command: str) -> str:
    variables = {**machine_environment(os.environ, cache_dir=directory / "cache"), **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout.strip()


def test_overlay_sees_the_base_and_installs_into_itself(tmp_path: Path) -> None:
    environment = overlay_environment(tmp_path / "overlay")
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "only-in-overlay"\nversion = "1"\n[build-system]\nrequires = []\n'
        'build-backend = "backend"\nbackend-path = ["."]\n'
    )
    wheel = "only_in_overlay-1-py3-none-any.whl"
    (project / "backend.py").write_text(
        "import zipfile, pathlib\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        f"    with zipfile.ZipFile(pathlib.Path(folder) / '{wheel}', 'w') as z:\n"
        "        z.writestr('only_in_overlay.py', '')\n"
        "        info = 'only_in_overlay-1.dist-info/'\n"
        "        z.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: only-in-overlay\\nVersion: 1\\n')\n"
        "        z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "        z.writestr(info + 'RECORD', '')\n"
        f"    return '{wheel}'\n"
    )
    run(tmp_path, environment, "pip", "install", "--no-index", "--no-build-isolation", str(project))
    where = run(
        tmp_path,
        environment,
        "python",
        "-c",
        "import boto3, only_in_overlay as o; print(boto3.__file__, o.__file__)",
    )
    base_file, overlay_file = where.split()
    assert base_file.startswith(sys.prefix)
    assert overlay_file.startswith(str(tmp_path / "overlay"))


def test_scripts_of_the_base_run_in_the_overlay(tmp_path: Path) -> None:
    environment = overlay_environment(tmp_path / "overlay")
    assert run(tmp_path, environment, "sh", "-c", "command -v pytest") == str(tmp_path / "overlay/bin/pytest")
    assert run(tmp_path, environment, "pytest", "--version").startswith("pytest ")


def test_the_machine_gives_only_the_way_to_its_mirror(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\n")
    environ = {
        "HOME": str(tmp_path),
        "PATH": "/bin",
        "AWS_SECRET_ACCESS_KEY": "x",
        "GITHUB_TOKEN": "x",
        "PIP_INDEX_URL": "mirror",
        "https_proxy": "http://proxy:3128",
    }
    environment = machine_environment(environ, cache_dir=tmp_path / "cache")
    assert environment == {
        "PATH": "/bin",
        "PIP_CACHE_DIR": str(tmp_path / "cache/pip"),
        "PIP_CONFIG_FILE": str(tmp_path / ".config/pip/pip.conf"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_INDEX_URL": "mirror",
        "PIP_NO_INPUT": "1",
        "https_proxy": "http://proxy:3128",
        "no_proxy": "localhost,127.0.0.1",
        "NO_PROXY": "localhost,127.0.0.1",
    }
