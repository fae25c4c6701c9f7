"""wsgi.py of a model archive: the app that the gunicorn of SageMaker's scikit-learn image serves.

The image's own serving module installs the archive's code with pip at every start, from the package index and into its
environment. A serverless container may do neither.
"""

from pathlib import Path

from sagemaker_containers.beta.framework import transformer, worker

from ml_code.inference.handler import ServedModel, model_fn, transform_fn
from ml_code.inference.integrity import check_files

MODEL = Path(__file__).resolve().parents[1]  # the archive; the toolkit's own folder is where it may write


def load_model(_: str) -> ServedModel:
    check_files(MODEL)
    return model_fn(str(MODEL))


served = transformer.Transformer(model_fn=load_model, transform_fn=transform_fn)
served.initialize()
app = worker.Worker(transform_fn=served.transform, module_name=__name__)
