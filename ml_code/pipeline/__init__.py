"""The definitions of the SageMaker pipelines. Pure: no AWS call, no clock, no git."""
