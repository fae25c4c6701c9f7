"""The stand-in for a container image: Python environments that are laid over the one of the local AWS.

An overlay sees every package of its base and installs new ones into itself, so that a build or job can
`pip install` what it likes and the base stays as it was. It is made in milliseconds: links, no copies.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

# What a machine needs to reach its package mirror and the network; it never names an AWS account.
_PASSED_PREFIXES = ("PIP_", "UV_", "LC_", "npm_config_", "NPM_CONFIG_")
_PASSED_NAMES = frozenset(
    {
        "PATH",
        "LANG",
        "TZ",
        "TMPDIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "AWS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "GIT_SSL_CAINFO",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
    }
)

_OWN_HOSTS = ("localhost", "127.0.0.1")

# Console scripts of the base name the base's interpreter; run by the overlay's they see its packages too.
_SCRIPT_WRAPPER = """#!/bin/sh
exec '{overlay_bin}/python' '{base_bin}'/"${{0##*/}}" "$@"
"""
_PIP_WRAPPER = """#!/bin/sh
exec '{overlay_bin}/python' -m pip "$@"
"""


class _Base(NamedTuple):
    executable: str  # the interpreter behind the base environment
    version: str  # "3.11"
    site_packages: list[str]
    scripts: list[str]  # names in the base's bin that its interpreter runs


def overlay_environment(directory: Path, base_python: Path = Path(sys.executable)) -> dict[str, str]:
    """Make a virtual environment over the one of `base_python`; return the variables that select it.

    PATH has the overlay's bin first, the base's bin second (node, aws), then this process's PATH.
    """
    base_bin = base_python.parent.absolute()
    base = _describe(base_python)
    overlay_bin = directory.absolute() / "bin"
    _refuse_quotes(overlay_bin, base_bin)
    site_packages = directory / "lib" / f"python{base.version}" / "site-packages"
    site_packages.mkdir(parents=True)
    overlay_bin.mkdir()
    (directory / "pyvenv.cfg").write_text(
        f"home = {Path(base.executable).parent}\ninclude-system-site-packages = false\n"
    )
    # addsitedir, not the bare path: .pth files of the base (editable installs) count as well.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in base.site_packages]
    (site_packages / "_base_environment.pth").write_text("".join(lines))
    for name in ("python", "python3", f"python{base.version}"):
        (overlay_bin / name).symlink_to(base.executable)
    paths = {"overlay_bin": overlay_bin, "base_bin": base_bin}
    for name in ("pip", "pip3"):
        _write_executable(overlay_bin / name, _PIP_WRAPPER.format(**paths))
    _write_executable(directory / "run-script", _SCRIPT_WRAPPER.format(**paths))
    for name in base.scripts:
        if not (overlay_bin / name).exists():
            (overlay_bin / name).symlink_to(directory.absolute() / "run-script")
    search_path = os.pathsep.join([str(overlay_bin), str(base_bin), os.environ.get("PATH", os.defpath)])
    return {"PATH": search_path, "VIRTUAL_ENV": str(directory.absolute())}


def machine_environment(environ: Mapping[str, str], *, cache_dir: Path) -> dict[str, str]:
    """The variables of this machine that a build or job may see: its PATH and the way to its package mirror.

    pip's cache is kept in `cache_dir` unless the machine names one.
    """
    passed = {
        name: value
        for name, value in environ.items()
        if name in _PASSED_NAMES or name.startswith(_PASSED_PREFIXES)
    }
    return {
        "PIP_CACHE_DIR": str(cache_dir.absolute() / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        **_user_configuration(environ),
        **passed,
        **outside_proxy(environ),
    }


def outside_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Environment variables that keep tools from using the proxy of `environ`, if any, for this machine's own addresses."""
    if not any(name.lower().endswith("_proxy") and value for name, value in environ.items()):
        return {}
    known = [host.strip() for name in ("no_proxy", "NO_PROXY") for host in environ.get(name, "").split(",")]
    hosts = ",".join(dict.fromkeys(filter(None, [*known, *_OWN_HOSTS])))
    return {"no_proxy": hosts, "NO_PROXY": hosts}


def _user_configuration(environ: Mapping[str, str]) -> dict[str, str]:
    """A job's HOME is a fresh folder: the user's own mirror settings are named by variable instead."""
    home = environ.get("HOME")
    if home is None:
        return {}
    candidates = {
        "PIP_CONFIG_FILE": [".config/pip/pip.conf", ".pip/pip.conf"],
        "UV_CONFIG_FILE": [".config/uv/uv.toml"],
        "NPM_CONFIG_USERCONFIG": [".npmrc"],
    }
    found = {
        variable: [str(Path(home, name)) for name in names if Path(home, name).is_file()]
        for variable, names in candidates.items()
    }
    return {variable: paths[0] for variable, paths in found.items() if paths}


@lru_cache
def _describe(base_python: Path) -> _Base:
    program = (
        "import json, site, sys; print(json.dumps([getattr(sys, '_base_executable', sys.executable),"
        " '%d.%d' % sys.version_info[:2], site.getsitepackages()]))"
    )
    answer = subprocess.run([base_python, "-c", program], capture_output=True, text=True, check=True)
    executable, version, site_packages = json.loads(answer.stdout)
    bin_directory = base_python.parent.absolute()
    scripts = [path.name for path in bin_directory.iterdir() if _runs_in(bin_directory, path)]
    return _Base(executable, version, site_packages, scripts)


def _runs_in(bin_directory: Path, script: Path) -> bool:
    if not script.is_file() or not os.access(script, os.X_OK):
        return False
    with script.open("rb") as file:
        head = file.read(1024)
    # pip writes "#!/bin/sh" and an exec line where the interpreter's path is too long for a shebang.
    return head.startswith(b"#!") and str(bin_directory / "python").encode() in head


def _refuse_quotes(*paths: Path) -> None:
    for path in paths:
        if "'" in str(path):
            raise ValueError(
                f"The path of the local AWS has a single quote ('), which it does not support: {path}; use another folder"
            )


def _write_executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
