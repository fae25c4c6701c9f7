"""The CDK stack of the model factory: one construct a file, wired by `model_factory_stack`."""
