"""Who may take a role on without a secret: workflows on GitHub, by OpenID Connect.

Sources: GitHub's documentation, "Configuring OpenID Connect in Amazon Web Services" and "OpenID
Connect reference"; AWS's action `configure-aws-credentials`, for the audience in China.
"""

from __future__ import annotations

import re

from ..errors import SettingsError
from .permissions import Policy
from .statements import document

_PROVIDER = "token.actions.githubusercontent.com"
_NAME = r"[A-Za-z0-9._-]+(@[0-9]+)?"


def github_subject(repository: str, *, branch: str, environment: str | None) -> str:
    """Returns the subject of the tokens that GitHub gives to a workflow of a repository.

    Args:
        repository: OWNER/REPO; with their ids (`OWNER@1/REPO@2`) where its subjects carry them.
        branch: which the workflow runs for.
        environment: in which its job runs; its name then stands in the branch's place.

    Raises:
        SettingsError: one of them cannot be a name of GitHub's.
    """
    if not re.fullmatch(f"{_NAME}/{_NAME}", repository):
        raise SettingsError(
            f"--github is {repository!r}, which is no repository: pass OWNER/REPO, such as "
            "octocat/shop."
        )
    if environment is not None:
        return f"repo:{repository}:environment:{_one('environment', environment, ':')}"
    return f"repo:{repository}:ref:refs/heads/{_one('branch', branch, '')}"


def _one(kind: str, name: str, escaped: str) -> str:
    """Returns the name of one branch or environment as it stands in a subject."""
    if not name.strip() or re.search(r"[*?\x00-\x1f\x7f]", name):
        raise SettingsError(
            f"--{kind} is {name!r}, but it has to name one {kind}, since whoever runs a workflow "
            "there may deploy: pass its name without wildcards."
        )
    return re.sub(f"[{escaped}]", lambda found: f"%{ord(found[0]):02X}", name) if escaped else name


def trust_policy(partition: str, account: str, subject: str) -> Policy:
    """Returns the trust policy of a role that a workflow on GitHub takes on by OpenID Connect.

    Args:
        partition: as it stands in ARNs.
        account: the number of the account in which the role is.
        subject: of the workflow's tokens.

    Raises:
        SettingsError: the account has no such number.
    """
    audience = "sts.amazonaws.com.cn" if partition == "aws-cn" else "sts.amazonaws.com"
    provider = f"arn:{partition}:iam::{account_id(account)}:oidc-provider/{_PROVIDER}"
    asked = {f"{_PROVIDER}:aud": audience, f"{_PROVIDER}:sub": subject}
    statement = {
        "Sid": "FlaskS3GitHubActions",
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": asked},
    }
    return document(statement)


def account_id(account: str) -> str:
    """Returns the number of an AWS account.

    Raises:
        SettingsError: it is none.
    """
    if not re.fullmatch("[0-9]{12}", account):
        raise SettingsError(
            f"--account is {account!r}, but an AWS account's number has 12 digits: pass what "
            "`aws sts get-caller-identity` prints as Account."
        )
    return account
