"""What the services build on: the account, the shapes of requests and of resources, clocks and metrics."""
