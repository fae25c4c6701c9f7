"""Layers of a cache that several local AWSs of a user share."""

import os
from pathlib import Path

import pytest

from localaws.runtime.layer_store import KEPT, LayerStore


@pytest.fixture
def layers(tmp_path: Path) -> list[Path]:
    """More than are kept, the oldest first."""
    made = [tmp_path / f"layer-{number}" for number in range(KEPT + 2)]
    for age, layer in enumerate(made):
        layer.mkdir()
        os.utime(layer, (1_000 + age, 1_000 + age))
    return made


def test_the_layers_that_were_used_last_are_kept(tmp_path: Path, layers: list[Path]) -> None:
    store = LayerStore(tmp_path, Path("python"))
    assert store.newest() == layers[-1]
    assert store.use(layers[0])
    assert {path for path in layers if path.exists()} == {layers[0], *layers[-KEPT + 1 :]}


def test_a_layer_that_another_local_aws_uses_is_kept(tmp_path: Path, layers: list[Path]) -> None:
    first, second = LayerStore(tmp_path, Path("python")), LayerStore(tmp_path, Path("python"))
    newer = [tmp_path / f"newer-{number}" for number in range(KEPT)]
    assert first.use(layers[0])
    os.utime(layers[0], (1, 1))
    for layer in newer:
        layer.mkdir()
        assert second.use(layer)
    assert layers[0].exists()
    first.close()
    assert second.use(newer[-1])
    assert not layers[0].exists()


def test_a_layer_that_was_just_removed_is_not_used(tmp_path: Path) -> None:
    assert not LayerStore(tmp_path, Path("python")).use(tmp_path / "gone")
