"""Install a lock, with its hashes, into an environment: by uv, or by pip.

uv takes a sixth of pip's time. It reads nothing of pip's configuration, so it gets the index, the certificates and the
proxy from here. Where it fails all the same, pip installs. Nothing but Python's standard library is there yet.
"""

import argparse
import ast
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

LOCK = Path("requirements.lock")
FLAGS = ("--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:")
# Modules are compiled when they are first imported: most never are, and compiling all takes longer than the installation.
PIP_FLAGS = (*FLAGS, "--no-compile", "--disable-pip-version-check")
# pip's option, uv's variable, and what uv writes between several values.
VARIABLES = (
    ("index-url", "UV_DEFAULT_INDEX", " "),
    ("extra-index-url", "UV_INDEX", " "),
    ("find-links", "UV_FIND_LINKS", ","),
    ("trusted-host", "UV_INSECURE_HOST", " "),
    ("default-timeout", "UV_HTTP_TIMEOUT", " "),
    ("timeout", "UV_HTTP_TIMEOUT", " "),
    ("proxy", "ALL_PROXY", " "),
    ("proxy", "HTTPS_PROXY", " "),
    ("proxy", "HTTP_PROXY", " "),
    ("cert", "SSL_CERT_FILE", " "),
    ("client-cert", "SSL_CLIENT_CERT", " "),
)
# pip's own order: a variable goes before the section of the command, and that before the one for all commands.
SECTIONS = ("global", "install", ":env:")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lock", type=Path, nargs="?", default=LOCK)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of the environment")
    arguments = parser.parse_args()
    reason = install_by_uv(arguments.python, arguments.lock)
    if reason:
        print(f"uv cannot install {arguments.lock}, pip does, which takes minutes: {reason}", file=sys.stderr)
        flags = ("--python", str(arguments.python), "install", *PIP_FLAGS)
        sys.exit(_pip(*flags, "-r", str(arguments.lock)).returncode)


def install_by_uv(python: Path, lock: Path) -> str:
    """Install the lock by uv; return why that failed, empty when all is installed."""
    if importlib.util.find_spec("uv") is None and (reason := _install_uv(lock)):
        return reason
    listed = _pip("config", "list", output=subprocess.PIPE).stdout
    command = [sys.executable, "-m", "uv", "pip", "install", "--python", str(python), *FLAGS, "-r", str(lock)]
    variables = uv_variables(pip_options(listed), os.environ)
    done = subprocess.run(
        command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True, check=False
    )
    return done.stderr.strip() if done.returncode else ""


def _install_uv(lock: Path) -> str:
    pin = re.search(r"^uv==.*(?:\n    --hash=.*)*", lock.read_text(), re.MULTILINE)
    if pin is None:
        return f"{lock} has no line uv==..."
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder, "uv.lock")
        alone.write_text(pin[0] + "\n")
        done = _pip("install", *PIP_FLAGS, "-r", str(alone))
    importlib.invalidate_caches()
    return f"pip install {pin[0].split()[0]} ended with {done.returncode}" if done.returncode else ""


def _pip(*arguments: str, output: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pip", *arguments], stdout=output, text=True, check=False)


def pip_options(listed: str) -> dict[str, str]:
    """The options of an installation, from the output of `pip config list`."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        if match := re.fullmatch(r"([^=]+)\.([a-z-]+)=(.*)", line):
            found.setdefault(match[1], {})[match[2]] = str(ast.literal_eval(match[3]))
    return {name: value for section in SECTIONS for name, value in found[section].items()}


def uv_variables(options: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Variables of uv for the options of pip; variables of uv that are set stay as they are."""
    found = {
        variable: separator.join(options[option].split())
        for option, variable, separator in VARIABLES
        if options.get(option)
    }
    bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE")
    if bundle and "cert" not in options:
        found["SSL_CERT_FILE"] = bundle
    if options.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        found["UV_NO_INDEX"] = "true"
    # pip takes a release from any of its indexes; the hashes say which bytes it may be.
    found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in found.items() if not (name.startswith("UV_") and name in environ)}


if __name__ == "__main__":
    main()
