"""LightGBM where the system has no OpenMP library."""

import subprocess
import sys

import pytest

PROGRAM = """
from pathlib import Path
from ml_code.estimators.openmp import load_copy
load_copy()
import lightgbm, numpy as np
model = lightgbm.LGBMRegressor(n_estimators=2, verbosity=-1).fit(np.arange(100).reshape(-1, 1), np.arange(100))
assert len(model.predict([[5]])) == 1
print(*{line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "gomp" in line})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="wheels for other systems bring or name it otherwise")
def test_lightgbm_takes_the_copy_of_scikit_learn() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "libgomp.so.1" not in done.stdout, "the system's own was loaded"
