"""CloudFormation's limits of a template."""

MAX_RESOURCES = 500
MAX_BYTES = 1_000_000
_REMEDY = "Put the others into a factory of another name."


def check_resources(resources: int, of_models: int, *, model_count: int) -> None:
    """ValueError with the number of models that fit."""
    if resources <= MAX_RESOURCES:
        return
    a_model = -(-of_models // model_count)
    fitting = (MAX_RESOURCES - (resources - of_models)) // a_model
    raise ValueError(
        f"The factory has {model_count} models and its template {resources} resources, CloudFormation takes "
        f"{MAX_RESOURCES}: with these settings {fitting} models fit. {_REMEDY}"
    )


def check_size(size_bytes: int, *, model_count: int) -> None:
    """ValueError with the number of models that fit; CDK only warns."""
    if size_bytes <= MAX_BYTES:
        return
    # What all models share is little of it.
    fitting = model_count * MAX_BYTES // size_bytes
    raise ValueError(
        f"The factory has {model_count} models and its template {size_bytes:,} bytes, CloudFormation takes "
        f"{MAX_BYTES:,}: with these settings {fitting} models fit. {_REMEDY}"
    )
