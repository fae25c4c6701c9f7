"""YAML 1.2, the one place that reads it: 1e-3 is a number, `no` is text, and a key occurs once."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError


class YamlError(ValueError):
    """A fault of the text and its line, in one sentence."""


def parse_yaml(text: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        # Of a key that occurs twice it shows the values as well, which may be half the file.
        problem = " ".join(str(error.problem or error.context).partition(" with value")[0].split())
        mark = error.problem_mark or error.context_mark
        raise YamlError(problem if mark is None else f"line {mark.line + 1}: {problem}") from None
    except (YAMLError, RecursionError, ValueError) as error:
        raise YamlError(" ".join(str(error).split())) from None
