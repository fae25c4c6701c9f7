"""The alarms that guard a deployment, looked at with the rights of the model's execution role.

AWS asks for cloudwatch:DescribeAlarms of "your IAM execution role":
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
"""

from moto.cloudwatch.models import cloudwatch_backends

from localaws.core.account import Account
from localaws.core.errors import ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.services.iam.authorization import Principal, assume_role, authorize, find_principal


class RollbackAlarms:
    def __init__(self, account: Account, role_arn: str, names: list[str]) -> None:
        self._account = account
        self._role_arn = role_arn
        self._names = names

    def check(self) -> None:
        """Raise ServiceError when one does not exist, or the role may not look at it."""
        alarms = cloudwatch_backends[ACCOUNT_ID][self._account.region].alarms
        principal = self._execution_role() if self._names else None
        for name in self._names:
            assert principal is not None
            try:
                authorize(
                    principal, "cloudwatch:DescribeAlarms", self._account.arn("cloudwatch", f"alarm:{name}")
                )
            except ServiceError as error:
                raise _invalid(f"The execution role cannot look at an alarm: {error}") from error
            if name not in alarms:
                raise _invalid(f'The alarm "{name}" of AutoRollbackConfiguration does not exist.')

    def tripped(self) -> list[str]:
        """The alarms in ALARM now; one that was deleted meanwhile counts as well."""
        alarms = cloudwatch_backends[ACCOUNT_ID][self._account.region].alarms
        found = [(name, alarms.get(name)) for name in self._names]
        return [name for name, alarm in found if alarm is None or alarm.state_value == "ALARM"]

    def _execution_role(self) -> Principal:
        try:
            credentials = assume_role(
                self._account, self._role_arn, principal="sagemaker.amazonaws.com", session_name="SageMaker"
            )
        except ServiceError as error:
            raise _invalid(f"The execution role cannot be assumed: {error}") from error
        principal = find_principal(credentials.access_key_id, credentials.session_token)
        assert principal is not None, "its role has just been assumed"
        return principal


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
