"""The code of the functions as Lambda gets it: complete, and without the CDK."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import Synthesise, Synthesised

FUNCTIONS = [
    ("default", "model-factory-teardown"),
    ("drift", "model-factory-digits-monitor"),
    ("new-data", "model-factory-digits-new-data"),
]
# Imports the handler as Lambda does, where boto3 and what it needs are all that is installed.
IMPORT_AS_LAMBDA = """
import importlib, importlib.abc, sys

INSTALLED = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root not in sys.stdlib_module_names | INSTALLED | {"ml_code", "stacks"}:
            raise ModuleNotFoundError(f"Lambda has no module {name}")

folder, module, name = sys.argv[1:]
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, folder)
assert callable(getattr(importlib.import_module(module), name))
for loaded, found in sys.modules.items():
    if loaded.partition(".")[0] in ("ml_code", "stacks"):
        assert found.__file__.startswith(folder), found.__file__
"""


def properties(factory: Synthesised, name: str) -> Any:
    found = [each["Properties"] for each in factory.of_type("AWS::Lambda::Function").values()]
    (function,) = (each for each in found if each["FunctionName"] == name)
    return function


def asset(factory: Synthesised, name: str) -> Path:
    key = properties(factory, name)["Code"]["S3Key"].removesuffix(".zip")
    return factory.directory / f"asset.{key}"


@pytest.mark.parametrize(("configuration", "name"), FUNCTIONS)
def test_a_function_s_asset_imports_with_nothing_but_boto3(
    synthesise: Synthesise, configuration: str, name: str, tmp_path: Path
) -> None:
    factory = synthesise(CONFIGURATIONS[configuration])
    module, _, handler = properties(factory, name)["Handler"].rpartition(".")
    folder = str(asset(factory, name).resolve())
    command = [sys.executable, "-I", "-B", "-c", IMPORT_AS_LAMBDA, folder, module, handler]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("configuration", "name"), FUNCTIONS)
def test_a_function_s_asset_has_its_package_and_the_contracts_and_nothing_else(
    synthesise: Synthesise, configuration: str, name: str
) -> None:
    factory = synthesise(CONFIGURATIONS[configuration])
    package = Path(*properties(factory, name)["Handler"].split(".")[:-2])
    folder = asset(factory, name)
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert {path for path in found if path.parent != package} == {
        Path("ml_code/__init__.py"),
        Path("ml_code/contracts.py"),
        Path("stacks/__init__.py"),
        package.parent / "__init__.py",
    }
    assert {path.suffix for path in found} == {".py"}
