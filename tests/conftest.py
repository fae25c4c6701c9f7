"""For all tests."""

import gc

# What the tests import is large and stays: looking for garbage among it often takes a tenth of the time.
gc.set_threshold(100_000, 20, 100)
