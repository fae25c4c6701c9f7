"""A table's contract: what its columns hold, how files and requests are read into it, and which rows break it."""
