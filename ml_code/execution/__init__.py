"""One execution of the SageMaker pipeline: package the code, start it, follow it."""
