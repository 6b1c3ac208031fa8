"""`flask s3 policy`: what to allow, and whom, as JSON. Asks nobody; changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from .. import endpoints
from ..access.kinds import Access, Use, chosen
from ..errors import SettingsError
from ..serve.serving import state_of
from . import screens
from .running import explained, the_app
from .typed import OneOf

if TYPE_CHECKING:
    from ..access.permissions import Policy, Scope
    from ..access.statements import Reader
    from ..settings import Settings

_ACCOUNT = (
    "{} names an AWS account, and which one is not known here: pass --account with its number of "
    "12 digits, as `aws sts get-caller-identity` prints it."
)
_NO_POLICY = (
    "With --access {} no bucket policy lets anybody read: leave --bucket out, or pass --access "
    "policy or cloudfront."
)
_NO_DISTRIBUTION = (
    "FLASKS3_CLOUDFRONT_DISTRIBUTION is not set, so no distribution can be let in: set it to the "
    "distribution's id, or pass --access policy."
)
_ONE_POLICY = "--for, --bucket and --github print different policies: pass one of them at a time."


@click.command(short_help="Print the least IAM policy for this app.")
@click.option(
    "--for",
    "uses",
    type=OneOf([use.value for use in Use]),
    multiple=True,
    help="What is to be allowed; several times for several things. deploy when left out.",
)
@click.option(
    "--access",
    type=OneOf([access.value for access in Access]),
    help="How browsers are let in, as for setup. When left out: cloudfront with "
    "FLASKS3_CLOUDFRONT_DISTRIBUTION, otherwise policy.",
)
@click.option("--kms-key", metavar="ARN", help="The key, where the bucket encrypts with SSE-KMS.")
@click.option("--bucket", "of_bucket", is_flag=True, help="Print the bucket's own policy.")
@click.option(
    "--github",
    "repository",
    metavar="OWNER/REPO",
    help="Print the trust policy of a role for this repository's workflows.",
)
@click.option("--branch", metavar="NAME", help="With --github: for which branch; main if left out.")
@click.option("--environment", metavar="NAME", help="With --github: jobs in this environment.")
@click.option("--account", metavar="ID", help="The number of the AWS account.")
@with_appcontext
def policy(
    uses: tuple[str, ...],
    access: str | None,
    kms_key: str | None,
    of_bucket: bool,
    repository: str | None,
    branch: str | None,
    environment: str | None,
    account: str | None,
) -> None:
    """Print the least IAM policy for deploying this app, or for what --for says.

    Needs no network and no credentials. The app that serves needs no permission at all, but for
    FLASKS3_MANIFEST = "bucket": --for bucket-manifest.

    \b
    Examples:
      flask s3 policy --for deploy --for prune > policy.json
      flask s3 policy --bucket
      flask s3 policy --github octocat/shop --account 123456789012
    """
    from ..access.trust import account_id  # noqa: PLC0415

    if sum([bool(uses), of_bucket, repository is not None]) > 1:
        raise click.UsageError(_ONE_POLICY)
    has_branch, has_environment = branch is not None, environment is not None
    if repository is None and (has_branch or has_environment):
        raise click.UsageError("--branch and --environment go with --github: pass that too.")
    if has_branch and has_environment:
        raise click.UsageError("A workflow's subject has --branch or --environment: pass one.")
    with explained():
        settings = state_of(the_app()).settings()
        account = None if account is None else account_id(account)
        how = chosen(access, settings)
        if repository is not None:
            made = _trust(settings, repository, branch, environment, account)
        elif of_bucket:
            made = _bucket(settings, how, account)
        else:
            wanted = [Use(use) for use in uses] or [Use.DEPLOY]
            made = _identity(settings, _scope(settings, how, kms_key, account), wanted)
        click.echo(json.dumps(made, indent=2))


def _partition(settings: Settings) -> str:
    return endpoints.partition(settings.region or "us-east-1")


def _scope(settings: Settings, access: Access, kms_key: str | None, account: str | None) -> Scope:
    from ..access import permissions  # noqa: PLC0415
    from ..building.collect import key_prefixes  # noqa: PLC0415
    from ..release.records import folder_of  # noqa: PLC0415

    key = permissions.kms_key_of(settings, kms_key)
    return permissions.Scope(
        bucket=settings.require_bucket(),
        partition=_partition(settings),
        key_prefixes=key_prefixes(the_app(), settings),
        folder=folder_of(settings.app_name or the_app().name, settings.key_prefix),
        conditions=permissions.conditions_of(settings, acl=access is Access.ACL, kms_key=key),
        distribution=settings.cloudfront_distribution,
        account=account,
        kms_key=key,
    )


def _identity(settings: Settings, scope: Scope, uses: list[Use]) -> Policy:
    from ..access import permissions  # noqa: PLC0415

    made = permissions.identity_policy(scope, uses)
    screens.show_warnings(permissions.remarks(settings, scope, uses, made))
    return made


def _trust(
    settings: Settings,
    repository: str,
    branch: str | None,
    environment: str | None,
    account: str | None,
) -> Policy:
    from ..access import trust  # noqa: PLC0415

    of_branch = "main" if branch is None else branch
    subject = trust.github_subject(repository, branch=of_branch, environment=environment)
    if account is None:
        raise click.UsageError(_ACCOUNT.format("A trust policy"))
    return trust.trust_policy(_partition(settings), account, subject)


def _bucket(settings: Settings, access: Access, account: str | None) -> Policy:
    from ..access import statements  # noqa: PLC0415
    from ..building.collect import key_prefixes  # noqa: PLC0415

    bucket, prefixes = settings.require_bucket(), key_prefixes(the_app(), settings)
    reader = _reader(settings, access, account)
    try:
        statements.refuse_ungrantable(prefixes)
    except statements.Unmergeable as error:
        raise SettingsError(f"There is no policy for bucket {bucket!r}: {error}") from error
    region = settings.region or "us-east-1"
    return statements.document(statements.statement(bucket, region, prefixes, reader))


def _reader(settings: Settings, access: Access, account: str | None) -> Reader:
    """Returns who may read the bucket by its policy."""
    from ..access.permissions import distribution_arn  # noqa: PLC0415
    from ..access.statements import ANYBODY, Reader  # noqa: PLC0415

    if access is Access.POLICY:
        return ANYBODY
    if access is not Access.CLOUDFRONT:
        raise click.UsageError(_NO_POLICY.format(access.value))
    if settings.cloudfront_distribution is None:
        raise SettingsError(_NO_DISTRIBUTION)
    if account is None:
        raise click.UsageError(_ACCOUNT.format("CloudFront's statement"))
    arn = distribution_arn(_partition(settings), account, settings.cloudfront_distribution)
    return Reader(arn)
