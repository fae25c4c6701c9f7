"""The whole factory on one machine, from its deployment to its destruction: `make demo`."""
