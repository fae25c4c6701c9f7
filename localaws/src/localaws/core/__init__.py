"""The base of all services: the account, the shapes of requests and of resources, clocks and metrics."""
