from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import RETRIES
from stacks.acknowledgements import acknowledge
from stacks.context import Context
from stacks.logs import log_group
from stacks.permissions import grant_read, grant_write_logs, service_role


class Build(Construct):
    """A CodeBuild project for one action of the delivery pipeline, with its log group and its own role."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str,
        buildspec: codebuild.BuildSpec,
        timeout: Duration,
        environment: Mapping[str, str],
        source_bucket: s3.IBucket,
        context: Context,
    ) -> None:
        super().__init__(scope, id)
        self.role = service_role(self, "Role", "codebuild.amazonaws.com", f"What the build {name} may do")
        logs = log_group(
            self,
            "Logs",
            name=f"/aws/codebuild/{name}",
            retention_days=context.config.retention.log_days,
            key=context.key,
        )
        grant_write_logs(self.role, logs)
        grant_read(self.role, "ReadSource", source_bucket)
        network = context.network
        if network:
            network.grant_interfaces(self.role, "codebuild.amazonaws.com", network.builds)
        self.project = codebuild.PipelineProject(
            self,
            "Project",
            project_name=name,
            # CDK would add test reports and the making of log groups.
            role=self.role.without_policy_updates(),
            grant_report_group_permissions=False,
            build_spec=buildspec,
            environment=codebuild.BuildEnvironment(
                build_image=codebuild.LinuxBuildImage.STANDARD_7_0,
                compute_type=codebuild.ComputeType.SMALL,
            ),
            environment_variables={
                key: codebuild.BuildEnvironmentVariable(value=value)
                for key, value in {**RETRIES, **environment}.items()
            },
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=logs)),
            timeout=timeout,
            vpc=network.vpc if network else None,
            subnet_selection=ec2.SubnetSelection(subnets=network.subnets) if network else None,
            security_groups=[network.builds] if network else None,
        )
        # CDK adds no such dependency to a role that takes no policies, and in a VPC CodeBuild tries the role at once.
        self.project.node.add_dependency(self.role)
        _acknowledge(self.project, has_network=network is not None)


def _acknowledge(project: codebuild.PipelineProject, *, has_network: bool) -> None:
    acknowledge(
        project,
        "AwsSolutions-CB4",
        reason="A pipeline's build has no artifacts of its own; the pipeline's lie in its encrypted bucket",
    )
    if has_network:
        # CDK writes this policy for any role that takes it; the role here does not.
        acknowledge(
            project.node.find_child("PolicyDocument"),
            "AwsSolutions-IAM5[Resource::*]",
            reason="It is attached to no role and so not in the template: the role has narrower ones",
        )
