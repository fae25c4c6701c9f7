"""wsgi.py of a model archive: the app that the gunicorn of SageMaker's scikit-learn image serves.

The image's own serving module installs the archive's code with pip at every start, from the package index and into its
environment. A serverless container may do neither.
"""

import gc
import logging
from pathlib import Path

from ml_code.inference.app import create_app
from ml_code.inference.handler import model_fn
from ml_code.inference.integrity import check_files

MODEL = Path(__file__).resolve().parents[1]  # the archive; the toolkit's own folder is where it may write

logging.basicConfig(level=logging.INFO)
check_files(MODEL)
app = create_app(model_fn(str(MODEL)))
# What the start has made stays: no collection during a request need look at it.
gc.collect()
gc.freeze()
