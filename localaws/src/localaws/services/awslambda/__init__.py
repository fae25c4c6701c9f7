"""Lambda: Python functions in processes of their own."""
