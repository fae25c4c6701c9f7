"""Fitted models as files: a pickle, and beside it what a library saves in a format of its own."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_code.estimators.libraries import LIBRARIES, library_of

MODEL_FILE = "model.pkl"
# Below: `<number>.<extension of the format>`.
OWN_FORMATS_FOLDER = "own_formats"


def model_files(model: Any) -> dict[str, bytes]:
    """The files of a model, by their paths in its folder."""
    files: dict[str, bytes] = {}
    stream = io.BytesIO()
    _Pickler(stream, files).dump(model)
    return {MODEL_FILE: stream.getvalue(), **files}


def write_model(model: Any, folder: Path) -> None:
    for name, content in model_files(model).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def load_model(files: Mapping[str, bytes]) -> Any:
    """Return the TableModel, or of versions that were trained before there was one the pipeline.

    Only for files of the factory's own: a pickle runs what it likes. A pickle of former versions has all of the model.
    """
    return _Unpickler(files).load()


def read_files(folder: Path) -> dict[str, bytes]:
    """Read the files of the model in its folder, and no others."""
    paths = [folder / MODEL_FILE, *sorted((folder / OWN_FORMATS_FOLDER).glob("*"))]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def is_model_file(name: str) -> bool:
    return name == MODEL_FILE or name.startswith(f"{OWN_FORMATS_FOLDER}/")


def _load_pyfunc(path: str) -> Any:
    """Load a model's folder, when MLflow asks for it."""
    return load_model(read_files(Path(path)))


class _Pickler(pickle.Pickler):
    """Puts what a library saves itself into `files`; the pickle has the path in its place."""

    def __init__(self, stream: io.BytesIO, files: dict[str, bytes]) -> None:
        super().__init__(stream, protocol=5)
        self.files = files
        self.paths: dict[int, tuple[str, str]] = {}

    def persistent_id(self, found: Any) -> tuple[str, str] | None:
        library = next((each for each in LIBRARIES.values() if each.is_own_model(found)), None)
        if library is None:
            return None
        if id(found) not in self.paths:
            path = f"{OWN_FORMATS_FOLDER}/{len(self.files)}.{library.own_format}"
            self.files[path] = library.save(found)
            self.paths[id(found)] = library.package, path
        return self.paths[id(found)]


class _Unpickler(pickle.Unpickler):
    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(io.BytesIO(files[MODEL_FILE]))
        self.files = files
        self.loaded: dict[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        library_of(module).provide_system_libraries()
        return super().find_class(module, name)

    def persistent_load(self, identifier: Any) -> Any:
        package, path = identifier
        if path not in self.loaded:
            self.loaded[path] = LIBRARIES[package].load(self.files[path])
        return self.loaded[path]
