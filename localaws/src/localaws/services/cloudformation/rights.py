"""The rights with which a stack's resources are made: its service role's, or the caller's."""

from localaws.core.account import Account
from localaws.core.errors import ServiceError, validation_error
from localaws.core.identity import Credentials
from localaws.core.resource_helpers import acting
from localaws.services.iam.authorization import assume_role, authorize_session, find_principal, require_trust

PRINCIPAL = "cloudformation.amazonaws.com"


class StackRights:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._sessions: dict[str, Credentials] = {}  # by the role's ARN

    def credentials(self, role_arn: str | None) -> Credentials:
        """Credentials of the role; without one, of the present caller."""
        if role_arn is None:
            return acting(self._account)
        try:
            require_trust(role_arn, PRINCIPAL)
        except ServiceError as error:
            raise validation_error(f"Role {role_arn} is invalid or cannot be assumed") from error
        session = self._sessions.get(role_arn)
        # A role that was made anew has no sessions of before.
        if session is None or find_principal(session.access_key_id, session.session_token) is None:
            session = assume_role(
                self._account, role_arn, principal=PRINCIPAL, session_name="AWSCloudFormation"
            )
            self._sessions[role_arn] = session
        return session


def require_right(account: Account, action: str, resource: str) -> None:
    """Raise ServiceError("AccessDenied") unless the principal whose rights count now may do it."""
    authorize_session(acting(account), action, resource)
