"""For all tests."""

import gc
import os

# Tests run side by side, on all cores: threads of one would wait for those of the others.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# What the tests import is large and stays: looking for garbage among it often takes a tenth of the time.
gc.set_threshold(100_000, 20, 100)
