"""The template of the default settings, to be read whenever it changes.

`make snapshot` writes it anew. Left out is what moves with every edit of the code or the model: hashes of assets and
the definition of the SageMaker pipeline.
"""

import difflib
import json
import os
import re
from typing import Any

from tests.stacks.synthesis import PROJECT, Synthesised

SNAPSHOT = PROJECT / "tests/stacks/snapshot/model-factory.template.json"
SHOWN_LINES = 80


def settled(value: Any) -> Any:
    if isinstance(value, list):
        return [settled(item) for item in value]
    if isinstance(value, dict):
        return {
            key: "<definition>" if key == "PipelineDefinitionBody" else settled(item)
            for key, item in value.items()
        }
    return re.sub(r"\b[0-9a-f]{64}\b", "<hash>", value) if isinstance(value, str) else value


def test_the_template_is_the_reviewed_one(factory: Synthesised) -> None:
    template = json.loads((factory.directory / f"{factory.name}.template.json").read_text())
    text = json.dumps(settled(template), indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(text)
    lines = (SNAPSHOT.read_text().splitlines(), text.splitlines())
    changes = list(difflib.unified_diff(*lines, "the snapshot", "now", lineterm="", n=2))
    assert not changes, "\n".join(
        [
            "The template of the default settings has changed. If that is meant, run `make snapshot` and commit",
            *changes[:SHOWN_LINES],
            f"({len(changes)} lines of changes)",
        ]
    )
