"""What checkov and parliament find in templates: each in a process of the environment that `make lint-templates` makes."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scanners.templates import Template, iam_documents
from tests.stacks.synthesis import PROJECT

BIN = PROJECT / ".venv-audit/bin"
PROCESSES = 2
# --skip-download and these keep checkov from asking for policies, guidelines and its newest release.
_OFFLINE = {"BC_SKIP_MAPPING": "TRUE", "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true"}
_CHECKOV = (
    *("--framework", "cloudformation", "--skip-download", "--soft-fail"),
    *("--output", "json", "--quiet", "--compact"),
)


@dataclass(frozen=True)
class Finding:
    check: str
    configuration: str
    path: str
    """Of the construct, without the stack's name."""
    detail: str

    def __str__(self) -> str:
        return f"{self.check} {self.path} in {self.configuration}: {self.detail}"


def checkov(templates: Sequence[Template], folder: Path) -> list[Finding]:
    parts = [templates[number::PROCESSES] for number in range(min(PROCESSES, len(templates)))]
    folders = [folder / str(number) for number in range(len(parts))]
    with ThreadPoolExecutor(PROCESSES) as threads:
        return [finding for part in threads.map(_checkov, parts, folders) for finding in part]


def _checkov(templates: Sequence[Template], folder: Path) -> list[Finding]:
    by_name = {template.configuration: template for template in templates}
    folder.mkdir(parents=True)
    for name, template in by_name.items():
        (folder / f"{name}.json").write_text(template.text)
    done = subprocess.run(
        [str(BIN / "checkov"), "--directory", str(folder), *_CHECKOV],
        env={**os.environ, **_OFFLINE},
        check=True,
        capture_output=True,
        text=True,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0, report
    assert report["summary"]["resource_count"] >= sum(len(each.resources()) for each in templates)
    return [_finding(each, by_name) for each in report["results"]["failed_checks"]]


def _finding(found: dict[str, Any], templates: dict[str, Template]) -> Finding:
    template = templates[Path(found["file_path"]).stem]
    logical_id = found["resource"].rpartition(".")[2]
    return Finding(found["check_id"], template.configuration, template.paths[logical_id], found["check_name"])


def parliament(templates: Sequence[Template], folder: Path) -> list[Finding]:
    """Each document once: most configurations have most of them."""
    sources: dict[tuple[str, str], list[str]] = {}
    for template in templates:
        for logical_id, document in iam_documents(template):
            text = json.dumps(document, indent=1)
            sources.setdefault((template.paths[logical_id], text), []).append(template.configuration)
    folder.mkdir()
    for number, (_, text) in enumerate(sources):
        (folder / f"{number}.json").write_text(text)
    keys = list(sources)
    found = []
    for issue in run_parliament(folder):
        path, text = keys[int(Path(issue["location"]["filepath"]).stem)]
        detail = f"{issue['title']}: {issue['detail']}"
        found += [Finding(issue["issue"], each, path, detail) for each in sources[path, text]]
    return found


def run_parliament(folder: Path) -> Iterator[dict[str, Any]]:
    """It ends with 1 when it finds something, and when it fails."""
    command = [str(BIN / "parliament"), "--directory", str(folder), "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        raise RuntimeError(f"parliament ended with {done.returncode}: {done.stderr}")
    yield from map(json.loads, done.stdout.splitlines())
