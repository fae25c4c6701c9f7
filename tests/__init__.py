"""A package of its own: some installed distributions bring one called tests, too."""
