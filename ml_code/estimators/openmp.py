"""The OpenMP library that LightGBM's wheel expects of the system.

The image's Dockerfile removes the compiler, of which it is a part. scikit-learn and XGBoost bring a copy each, under a name
of their own: loaded under the usual name it serves LightGBM, too.
"""

import ctypes
import tempfile
from pathlib import Path

import sklearn

_USUAL_NAME = b"libgomp.so.1"


def provide_openmp() -> None:
    """Load scikit-learn's copy where the system has none; without a copy, the import of LightGBM says what is missing."""
    try:
        ctypes.CDLL(_USUAL_NAME.decode())
    except OSError:
        load_copy()


def load_copy() -> None:
    libraries = Path(sklearn.__file__).parents[1] / "scikit_learn.libs"
    for bundled in libraries.glob("libgomp-*"):
        own_name = bundled.name.encode()
        # In the file the name is a text that ends with a zero: the shorter one fits in its place.
        content = bundled.read_bytes().replace(own_name, _USUAL_NAME.ljust(len(own_name), b"\0"))
        with tempfile.NamedTemporaryFile(suffix=".so") as copy:
            copy.write(content)
            copy.flush()
            ctypes.CDLL(copy.name, ctypes.RTLD_GLOBAL)
