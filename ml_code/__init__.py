"""The model: its description, its data checks, its training pipeline, its serving."""
