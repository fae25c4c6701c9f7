from typing import Any

import pytest
import yaml

from tests.stacks.synthesis import PROJECT, Synthesised


@pytest.fixture(scope="module")
def buildspec() -> dict[str, Any]:
    return dict(yaml.safe_load((PROJECT / "codebuild-buildspec.yml").read_text()))


def test_a_build_trains_by_one_command_which_tests_first(buildspec: dict[str, Any]) -> None:
    phases = buildspec["phases"]
    assert phases["build"]["commands"][0] == "python -m ml_code.execution.run_pipeline"
    assert phases["build"]["on-failure"] == "ABORT"
    assert "post_build" not in phases  # it runs after a failed build, too


def test_it_exports_what_later_stages_read(buildspec: dict[str, Any], factory: Synthesised) -> None:
    exported = buildspec["env"]["exported-variables"]
    assert exported == ["MODEL_VERSION", "EXECUTION_ARN"]
    # A pushed buildspec exports what it likes: what the approver reads is Staging's, which runs the deployed code.
    stages = str(factory.only("AWS::CodePipeline::Pipeline")["Properties"]["Stages"])
    assert "#{Build." not in stages
    assert "#{Staging.APPROVAL_SUMMARY}" in stages
    assert "#{Staging.VERIFICATION_URL}" in stages


def test_artifacts_are_named_where_the_pipeline_takes_them(factory: Synthesised) -> None:
    """CodePipeline ignores the artifacts of a build whose action has no output artifact."""
    found = [project["Properties"] for project in factory.of_type("AWS::CodeBuild::Project").values()]
    specs = {project["Name"]: buildspec_of(project) for project in found}
    stages = factory.only("AWS::CodePipeline::Pipeline")["Properties"]["Stages"]
    builds = [
        action for stage in stages for action in stage["Actions"] if "ProjectName" in action["Configuration"]
    ]
    assert builds
    for action in builds:
        spec = specs[action["Configuration"]["ProjectName"]]
        assert ("artifacts" in spec) == ("OutputArtifacts" in action)


def buildspec_of(project: dict[str, Any]) -> Any:
    """Of the template itself, or of the file that it names."""
    text = project["Source"]["BuildSpec"]
    return yaml.safe_load(text if "\n" in text else (PROJECT / text).read_text())


def test_deployments_run_the_deployed_code_by_the_deployed_buildspec(factory: Synthesised) -> None:
    written = yaml.safe_load((PROJECT / "deploy-buildspec.yml").read_text())
    for stage in ("staging", "production"):
        (project,) = (
            found["Properties"]
            for found in factory.of_type("AWS::CodeBuild::Project").values()
            if found["Properties"]["Name"] == f"{factory.prefix}-deploy-{stage}"
        )
        assert "\n" in project["Source"]["BuildSpec"]
        assert buildspec_of(project) == written
    stages = factory.only("AWS::CodePipeline::Pipeline")["Properties"]["Stages"]
    deployments = [action for stage in stages for action in stage["Actions"] if action["Name"] == "Deploy"]
    assert [action["InputArtifacts"] for action in deployments] == [[{"Name": "ReleaseCode"}]] * 2
    (code,) = (action for action in stages[0]["Actions"] if action["Name"] == "ReleaseCode")
    assert code["ActionTypeId"]["Provider"] == "S3"
