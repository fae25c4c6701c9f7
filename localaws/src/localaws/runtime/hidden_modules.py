"""Modules that a warm parent has loaded, hidden from its forks until they ask for them; runs in the image's Python, too."""

import os
import sys
import types
from contextlib import suppress
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import MetadataPathFinder
from pathlib import Path
from typing import NoReturn

Modules = dict[str, types.ModuleType]


def third_party(standard: set[str], layer: str) -> Modules:
    """Modules that an installation can replace: all but the interpreter's own."""
    return {
        name: module for name, module in sys.modules.items() if _is_third_party(name, module, standard, layer)
    }


class HiddenModules:
    """A finder that gives loaded modules back, unless others of the same names would be found."""

    def __init__(self, hidden: Modules, base: set[str], layer: str, restart: list[str]) -> None:
        self._hidden = hidden
        self._top_level = {name.partition(".")[0] for name in hidden}
        self._base = base
        self._layer = layer
        self._restart = restart
        # Those of libraries' own (importlib_metadata has one) are theirs, and hidden with them.
        self._finders = [finder for finder in sys.meta_path if not _is_standard(finder)]
        sys.meta_path[:] = [self, *(finder for finder in sys.meta_path if _is_standard(finder))]
        # importlib_metadata removes it when it is imported: its own finder, hidden now, does its work.
        self._has_backport = "find_distributions" not in PathFinder.__dict__
        if self._has_backport:
            PathFinder.find_distributions = MetadataPathFinder.find_distributions  # type: ignore[method-assign]

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if name not in self._hidden:
            return None
        if self._others_would_be_found():
            self._start_again()
        sys.meta_path.remove(self)
        sys.meta_path.extend(self._finders)
        if self._has_backport:
            del PathFinder.find_distributions
        for other, module in self._hidden.items():
            sys.modules.setdefault(other, module)
        module = sys.modules.pop(name)
        return ModuleSpec(name, LoadedModule(module))

    def _others_would_be_found(self) -> bool:
        folders = [(path, os.path.realpath(path)) for path in sys.path]
        if self._layer and self._layer not in [real for _, real in folders]:
            return True
        missing = set(self._top_level)
        for path, real in folders:
            found: set[str] = set()
            with suppress(OSError):
                found = missing & {_module_name(entry) for entry in Path(real).iterdir()}
            if found and path not in self._base and real != self._layer:
                return True
            missing -= found
        return False

    def _start_again(self) -> NoReturn:
        sys.stdout.flush()
        os.execve(self._restart[0], self._restart, os.environ)  # noqa: S606


def _is_standard(finder: object) -> bool:
    module = getattr(finder, "__module__", type(finder).__module__)
    return module.partition(".")[0] in {
        *sys.stdlib_module_names,
        "_frozen_importlib",
        "_frozen_importlib_external",
    }


def _module_name(entry: Path) -> str:
    """The module that a file below sys.path is imported as; empty for other files, such as those in bin."""
    if entry.is_dir() or entry.suffix in (".py", ".so"):
        return entry.name.partition(".")[0]
    return ""


class LoadedModule(Loader):
    """A loader that has loaded already."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, _spec: ModuleSpec) -> types.ModuleType:
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self._spec


def _is_third_party(name: str, module: types.ModuleType, standard: set[str], layer: str) -> bool:
    """Whether an installation can replace the module."""
    if name in standard or name.partition(".")[0] in sys.stdlib_module_names:
        return False
    file = getattr(module, "__file__", None)
    return file is None or "site-packages" in file or bool(layer and file.startswith(layer))
