"""The account's number, and who acts in it."""

from dataclasses import dataclass

ACCOUNT_ID = "123456789012"


@dataclass(frozen=True)
class Credentials:
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def environment(self) -> dict[str, str]:
        variables = {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}
        if self.session_token:
            variables["AWS_SESSION_TOKEN"] = self.session_token
        return variables


@dataclass(frozen=True)
class Caller:
    """The signer of the request: a user's or an assumed role's ARN, and the access key."""

    arn: str
    access_key_id: str
