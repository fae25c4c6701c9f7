"""The fitted model: from a table to predictions, the same in training, evaluation and serving."""
