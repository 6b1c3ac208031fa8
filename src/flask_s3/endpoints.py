"""Where buckets live: the hosts of AWS's regions and partitions.

Sources: AWS General Reference, "Amazon S3 endpoints and quotas"; Amazon S3 User Guide, "Virtual
hosting of buckets" (the global host routes to regions launched before 20 March 2019 only; a dotted
name does not match the wildcard certificate).
"""

from __future__ import annotations

AWS_HOST = "s3.amazonaws.com"

# Launched before 20 March 2019, so `bucket.s3.amazonaws.com` is routed to them by DNS.
_ON_THE_GLOBAL_HOST = frozenset(
    [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ca-central-1",
        "sa-east-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
    ]
)
# Region prefix, DNS suffix, and the partition's name in ARNs; the first that fits.
_PARTITIONS = (
    ("cn-", "amazonaws.com.cn", "aws-cn"),
    ("eusc-", "amazonaws.eu", "aws-eusc"),
    ("us-iso-", "c2s.ic.gov", "aws-iso"),
    ("us-isob-", "sc2s.sgov.gov", "aws-iso-b"),
    ("eu-isoe-", "cloud.adc-e.uk", "aws-iso-e"),
    ("us-isof-", "csp.hci.ic.gov", "aws-iso-f"),
    ("us-gov-", "amazonaws.com", "aws-us-gov"),
    ("", "amazonaws.com", "aws"),
)


def _partition(region: str) -> tuple[str, str]:
    return next((suffix, name) for start, suffix, name in _PARTITIONS if region.startswith(start))


def partition(region: str) -> str:
    """Returns the partition of a region, as it stands in ARNs: such as `aws-cn`."""
    return _partition(region)[1]


def bucket_arn(bucket: str, region: str) -> str:
    """Returns a bucket's ARN; its keys' begin with it and a slash."""
    return f"arn:{partition(region)}:s3:::{bucket}"


def regional_host(region: str | None) -> str:
    """Returns the S3 host of a region, in its partition; the global one when none is known."""
    if region is None:
        return AWS_HOST
    return f"s3.{region}.{_partition(region)[0]}"


def is_aws(host: str) -> bool:
    """Returns whether a host is AWS's own."""
    return host.endswith(tuple(f".{suffix}" for _, suffix, _ in _PARTITIONS))


def serves_globally(region: str | None) -> bool:
    """Returns whether the global host reaches buckets of the region in host style."""
    return region is None or region in _ON_THE_GLOBAL_HOST
