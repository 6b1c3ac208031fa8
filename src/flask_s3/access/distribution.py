"""The CloudFront distribution that is to read a private bucket.

Source: Amazon CloudFront Developer Guide, "Restrict access to an Amazon S3 origin".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import endpoints
from ..errors import SettingsError, StoreError
from ..settings import Settings
from .control import Control
from .permissions import distribution_arn

_DOCS = "docs/bucket.md shows the commands"


def arn_of(settings: Settings, region: str) -> tuple[str, str | None]:
    """Returns the distribution's ARN, and what keeps it from reading the bucket.

    Args:
        settings: which distribution and bucket.
        region: where the bucket lives.

    Raises:
        SettingsError: there is no such distribution, or none is named.
        StoreError: it cannot be told whose it is.
    """
    distribution = settings.cloudfront_distribution
    if distribution is None:
        raise SettingsError(
            "--access cloudfront lets one CloudFront distribution read the bucket, and none is "
            "named: set FLASKS3_CLOUDFRONT_DISTRIBUTION to its id."
        )
    control = Control(settings, region)
    found = control.distribution(distribution)
    if isinstance(found, Mapping):
        return str(found["ARN"]), _problem(found, settings, distribution)
    if found == "NoSuchDistribution":
        raise SettingsError(
            f"FLASKS3_CLOUDFRONT_DISTRIBUTION is {distribution!r}, but this account has no such "
            "distribution: correct it, or use the credentials of the account that has it."
        )
    account = control.account()
    if account is None:
        raise StoreError(
            f"CloudFront does not tell of distribution {distribution} ({found}), nor STS of the "
            "account: grant cloudfront:GetDistribution.",
            code=found,
            status=None,
            operation="GetDistribution",
        )
    unchecked = (
        f"It could not be checked that distribution {distribution} is there and reads the bucket "
        f"({found}): grant cloudfront:GetDistribution, or see for yourself."
    )
    return distribution_arn(endpoints.partition(region), account, distribution), unchecked


def _problem(found: Mapping[str, Any], settings: Settings, distribution: str) -> str | None:
    """Returns what keeps a distribution from reading the bucket with a signature."""
    bucket = settings.require_bucket()
    origins = found.get("DistributionConfig", {}).get("Origins", {}).get("Items", ())
    ours = [one for one in origins if str(one.get("DomainName", "")).startswith(f"{bucket}.s3")]
    if not ours:
        return (
            f"Distribution {distribution} has no origin {bucket}.s3.…, so it does not read this "
            f"bucket: add one ({_DOCS})."
        )
    if not any(one.get("OriginAccessControlId") for one in ours):
        return (
            f"Distribution {distribution} reads the bucket without an origin access control, so a "
            f"private bucket refuses it: create one and name it at the origin ({_DOCS})."
        )
    return None
