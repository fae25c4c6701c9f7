"""The code of endpoints and transform jobs, and the scoring of a file with it."""
