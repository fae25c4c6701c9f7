"""What a user sees of a mistake."""

import json
import os
import subprocess
import sys

from tests.stacks.synthesis import PROJECT


def test_the_app_answers_a_mistake_with_one_sentence() -> None:
    context = json.dumps({"factory": {"stage": "test"}})
    result = subprocess.run(
        [sys.executable, "app.py"],
        cwd=PROJECT,
        env={**os.environ, "CDK_CONTEXT_JSON": context},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "Setting factory.stage is 'test', allowed is one of dev, prod." in result.stderr
    assert "Traceback" not in result.stderr
