"""The model: its description, its data checks, its training pipeline, its serving."""

import atexit
import gc

# A process that ends collects what it has loaded, MLflow's objects and all, for a second: the system takes it back anyway.
atexit.register(gc.freeze)
