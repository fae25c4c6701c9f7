"""inference.py of a model archive, where SageMaker's scikit-learn image looks for these two functions."""

from ml_code.inference.handler import model_fn, transform_fn

__all__ = ["model_fn", "transform_fn"]
