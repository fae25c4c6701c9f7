"""CloudFormation's limits of a template."""

MAX_RESOURCES = 500


def check_template(resources: int, of_models: int, *, model_count: int) -> None:
    """ValueError with the number of models that fit."""
    if resources <= MAX_RESOURCES:
        return
    a_model = -(-of_models // model_count)
    fitting = (MAX_RESOURCES - (resources - of_models)) // a_model
    raise ValueError(
        f"The factory has {model_count} models and its template {resources} resources, CloudFormation takes "
        f"{MAX_RESOURCES}: with these settings {fitting} models fit. Put the others into a factory of another name."
    )
