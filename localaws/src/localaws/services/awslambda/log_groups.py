"""The log groups of functions that have one of their own."""

# moto forgets a function's LoggingConfig.
LOG_GROUPS: dict[str, str] = {}
