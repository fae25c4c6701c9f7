"""What the settings need of SageMaker's quotas, against what a new account has."""

import re
from pathlib import Path

import pytest

from ml_code.spec import load_spec
from stacks.context import ModelContext
from stacks.names import FactoryNames
from stacks.quota_needs import quota_needs
from stacks.settings.factory import FactoryConfig
from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import EXAMPLE_MODEL, configured

PROJECT = Path(__file__).resolve().parents[2]


def needs(configuration: str) -> dict[str, int]:
    config = configured(CONFIGURATIONS[configuration])
    return dict(quota_needs([model(config, "digits")], 2))


def model(config: FactoryConfig, name: str) -> ModelContext:
    names = FactoryNames(factory="factory", account="1", region="r").of_model(name)
    return ModelContext(config=config, names=names, spec=load_spec(EXAMPLE_MODEL), key=None, network=None)


def test_trainings_count_as_many_at_once_as_the_settings_say_and_endpoints_all() -> None:
    config = configured({})
    needed = quota_needs([model(config, name) for name in ("a", "b", "c")], 2)
    assert needed["ml.m5.large for spot training job usage"] == 2 * 2
    assert needed["Maximum total concurrency that can be allocated across all serverless endpoints"] == 3 * 10


def test_the_default_fits_a_new_account() -> None:
    quotas = pytest.importorskip("localaws.services.sagemaker.quotas", reason="the local AWS has the table")
    new_account = {quota.name: quota.default for quota in quotas.QUOTAS}
    needed = needs("default")
    assert {name: count for name, count in needed.items() if count > new_account.get(name, 0)} == {}
    assert needed == {
        "ml.t3.large for processing job usage": 1,
        "ml.m5.large for spot training job usage": 2,
        "Maximum total concurrency that can be allocated across all serverless endpoints": 10,
    }


def test_both_fleets_of_both_stages_count() -> None:
    needed = needs("realtime-staging")
    assert needed["ml.t2.medium for endpoint usage"] == 2 * 2 + 2 * 1
    assert not [name for name in needed if "serverless" in name]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_each_configuration_says_what_it_needs(configuration: str) -> None:
    needed = needs(configuration)
    assert all(count > 0 for count in needed.values())
    assert any("training job usage" in name for name in needed)
    is_realtime = CONFIGURATIONS[configuration].get("production.type") == "realtime"
    assert any("endpoint usage" in name for name in needed) == is_realtime


@pytest.mark.parametrize("page", ["quotas.md", "quotas_zh.md"])
def test_the_docs_name_the_quotas_by_their_codes(page: str) -> None:
    quotas = pytest.importorskip("localaws.services.sagemaker.quotas", reason="the local AWS has the table")
    codes = {quota.name: quota.code for quota in quotas.QUOTAS}
    rows = re.findall(r"\| `([^`|]+)`[^|]*\| `(L-[0-9A-F]{8})` \|", (PROJECT / "docs" / page).read_text())
    assert len(rows) == 5
    assert {name: codes[name] for name, _ in rows} == dict(rows)
