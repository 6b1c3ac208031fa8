"""The bucket itself: made when it is missing, with just the access that published files need.

This is control, not data: it goes through boto3, which is imported only here and only when needed.
Sources: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", "Controlling
ownership of objects", "Using cross-origin resource sharing (CORS)".
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from . import endpoints
from .errors import StoreError
from .settings import Settings
from .store import METADATA_PREFIX

_SID = "FlaskS3PublicRead"
_CHECK_SECONDS = 5


def create(
    settings: Settings, region: str, key_prefixes: Sequence[str], *, public: bool
) -> list[str]:
    """Creates the bucket and, when `public`, lets anybody read what stands under the prefixes.

    Args:
        settings: the bucket's name, endpoint and credentials.
        region: where it will live.
        key_prefixes: of the static routes, such as `static/`; an empty one is the whole bucket but
            for our own records.
        public: False leaves the bucket private.

    Returns:
        What could not be set, a sentence each.

    Raises:
        StoreError: the bucket could not be created.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    client = _client(settings, region)
    name = settings.require_bucket()
    place = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    try:
        client.create_bucket(Bucket=name, **place)
    except (BotoCoreError, ClientError) as error:
        raise _refused("CreateBucket", name, error) from error
    return _open(client, name, region, key_prefixes) if public else []


def policy(bucket: str, region: str, key_prefixes: Sequence[str]) -> dict[str, Any]:
    """Returns the bucket policy under which anybody may read the published files only."""
    arn = f"arn:{endpoints.partition(region)}:s3:::{bucket}/"
    statement: dict[str, Any] = {
        "Sid": _SID,
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
    }
    if "" in key_prefixes:
        statement["NotResource"] = f"{arn}{METADATA_PREFIX}*"
    else:
        statement["Resource"] = [f"{arn}{prefix}*" for prefix in key_prefixes]
    return {"Version": "2012-10-17", "Statement": [statement]}


def unreadable(url: str) -> str | None:
    """Returns why anybody's browser cannot read a published URL; None when it can.

    Raises:
        OSError: it could not be found out.
    """
    request = urllib.request.Request(url, method="GET", headers={"Range": "bytes=0-0"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_CHECK_SECONDS):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        # An empty object has no first byte.
        return None if error.code == 416 else f"HTTP {error.code}"


def how_to_open(bucket: str, region: str, key_prefixes: Sequence[str]) -> str:
    """Returns the commands that let anybody read the published files of an existing bucket."""
    text = json.dumps(policy(bucket, region, key_prefixes))
    return (
        "aws s3api put-public-access-block --bucket "
        f"{bucket} --public-access-block-configuration BlockPublicAcls=true,IgnorePublicAcls=true,"
        "BlockPublicPolicy=false,RestrictPublicBuckets=false && "
        f"aws s3api put-bucket-policy --bucket {bucket} --policy '{text}'"
    )


def _open(client: Any, bucket: str, region: str, key_prefixes: Sequence[str]) -> list[str]:  # noqa: ANN401
    """Lets anybody read the published files; returns what the store refused."""
    steps: list[tuple[str, Callable[[], Any]]] = []
    if not _has_acls(client, bucket):
        steps = [
            (
                "public access could not be unblocked",
                lambda: client.put_public_access_block(
                    Bucket=bucket,
                    PublicAccessBlockConfiguration={
                        "BlockPublicAcls": True,
                        "IgnorePublicAcls": True,
                        "BlockPublicPolicy": False,
                        "RestrictPublicBuckets": False,
                    },
                ),
            ),
            (
                "the policy for reading could not be set",
                lambda: client.put_bucket_policy(
                    Bucket=bucket, Policy=json.dumps(policy(bucket, region, key_prefixes))
                ),
            ),
        ]
    steps.append(("the CORS rule could not be set", lambda: _set_cors(client, bucket)))
    return [text for what, step in steps if (text := _tried(bucket, what, step))]


def _set_cors(client: Any, bucket: str) -> None:  # noqa: ANN401
    rule = {
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedOrigins": ["*"],
        "AllowedHeaders": ["*"],
        "MaxAgeSeconds": 86400,
    }
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})


def _has_acls(client: Any, bucket: str) -> bool:  # noqa: ANN401
    """Returns whether ACLs are known to be enabled, so that the objects' own ACL opens them."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        rules = client.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    except (BotoCoreError, ClientError):
        return False
    return any(rule["ObjectOwnership"] != "BucketOwnerEnforced" for rule in rules)


def _tried(bucket: str, what: str, step: Callable[[], Any]) -> str | None:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        step()
    except (BotoCoreError, ClientError) as error:
        return f"Bucket {bucket!r} was created, but {what} ({error}): set it by hand."
    return None


def _refused(operation: str, bucket: str, error: Exception) -> StoreError:
    answer = getattr(error, "response", {})
    code = answer.get("Error", {}).get("Code", type(error).__name__)
    why = {
        "BucketAlreadyExists": "somebody else has a bucket of that name: choose another.",
        "AccessDenied": "the credentials lack s3:CreateBucket: grant it, or create it by hand.",
        "InvalidBucketName": "it has 3 to 63 lower-case letters, digits and '-': choose another.",
    }.get(code, str(error))
    return StoreError(
        f"Bucket {bucket!r} is missing and could not be created ({code}): {why}",
        code=code,
        status=answer.get("ResponseMetadata", {}).get("HTTPStatusCode"),
        operation=operation,
    )


def _client(settings: Settings, region: str) -> Any:  # noqa: ANN401
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    keys = settings.static_keys()
    given = (
        {}
        if keys is None
        else {
            "aws_access_key_id": keys.access_key_id,
            "aws_secret_access_key": keys.secret_access_key,
            "aws_session_token": keys.session_token,
        }
    )
    style = "path" if settings.endpoint_url else "auto"
    return boto3.client(
        "s3",
        region_name=region,
        endpoint_url=settings.endpoint_url,
        config=Config(s3={"addressing_style": style}),
        **given,
    )
