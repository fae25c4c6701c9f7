from typing import Any

import pytest
import yaml

from tests.stacks.synthesis import PROJECT, Synthesised


@pytest.fixture(scope="module")
def buildspec() -> dict[str, Any]:
    return dict(yaml.safe_load((PROJECT / "codebuild-buildspec.yml").read_text()))


def test_tests_run_in_a_phase_whose_failure_keeps_the_training_phase_from_starting(
    buildspec: dict[str, Any],
) -> None:
    phases = buildspec["phases"]
    assert [command for command in phases["pre_build"]["commands"] if "pytest tests/model" in command]
    assert "python -m ml_code.execution.run_pipeline" in phases["build"]["commands"]
    assert "post_build" not in phases  # it runs after a failed build, too


def test_it_exports_what_later_stages_read(buildspec: dict[str, Any], factory: Synthesised) -> None:
    exported = buildspec["env"]["exported-variables"]
    assert exported == ["MODEL_VERSION", "EXECUTION_ARN"]
    stages = factory.only("AWS::CodePipeline::Pipeline")["Properties"]["Stages"]
    assert "#{Build.MODEL_VERSION}" in str(stages)  # what the approver reads


def test_artifacts_are_named_where_the_pipeline_takes_them(factory: Synthesised) -> None:
    """CodePipeline ignores the artifacts of a build whose action has no output artifact."""
    found = [project["Properties"] for project in factory.of_type("AWS::CodeBuild::Project").values()]
    specs = {project["Name"]: project["Source"]["BuildSpec"] for project in found}
    stages = factory.only("AWS::CodePipeline::Pipeline")["Properties"]["Stages"]
    builds = [
        action for stage in stages for action in stage["Actions"] if "ProjectName" in action["Configuration"]
    ]
    assert builds
    for action in builds:
        spec = yaml.safe_load((PROJECT / specs[action["Configuration"]["ProjectName"]]).read_text())
        assert ("artifacts" in spec) == ("OutputArtifacts" in action)


def test_projects_name_buildspecs_that_exist(factory: Synthesised) -> None:
    for project in factory.of_type("AWS::CodeBuild::Project").values():
        assert (PROJECT / project["Properties"]["Source"]["BuildSpec"]).is_file()
