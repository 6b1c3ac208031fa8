"""The bucket itself: made when it is missing, with just the access that published files need.

This is control, not data: it goes through boto3.
Sources: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", "Controlling
ownership of objects", "Using cross-origin resource sharing (CORS)".
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from typing import Any

from .. import endpoints
from ..assets import METADATA_PREFIX
from ..errors import StoreError
from ..settings import Settings
from ..store.boto import client, code_of

_SID = "FlaskS3PublicRead"
_CHECK_SECONDS = 5
_KMS = " (KMS)"
_UNBLOCK = "public access could not be unblocked"


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

    name = settings.require_bucket()
    place = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    try:
        made = client(settings, region)
        made.create_bucket(Bucket=name, **place)
    except (BotoCoreError, ClientError) as error:
        raise _refused("CreateBucket", name, error) from error
    return _open(made, name, region, key_prefixes) if public else []


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


def check_access(
    url: str,
    settings: Settings,
    region: str,
    key_prefixes: Sequence[str],
    acl_refusal: str | None,
    *,
    just_created: bool,
) -> list[str]:
    """Asks for one published object as a browser would; returns what is in the way, if anything.

    Args:
        url: where the object should be readable by anybody.
        settings: bucket and endpoint, for the commands that mend it.
        region: of the bucket.
        key_prefixes: of the static routes.
        acl_refusal: the code with which the store refused ACLs, None when it did not.
        just_created: whether we made the bucket and its policy a moment ago.
    """
    try:
        answer = _unreadable(url)
    except (OSError, HTTPException) as error:
        return [f"It could not be checked whether browsers can read {url} ({error})."]
    if answer is None:
        return []
    if just_created:
        mend = "since its new policy takes a while to spread, or was refused: look again soon."
    elif answer.endswith(_KMS):
        mend = (
            "since the bucket encrypts with SSE-KMS, which makes anonymous reads impossible: set "
            "its default encryption to SSE-S3 (AES256), then publish everything again (--force)."
        )
    else:
        command = _how_to_open(
            settings.require_bucket(), region, key_prefixes, settings.endpoint_url
        )
        mend = (
            f"since {_WHY_CLOSED.get(acl_refusal or '', 'no policy or ACL allows it')}, and a "
            "deploy never changes an existing bucket's policy, which put-bucket-policy replaces as "
            "a whole. To let anybody read the static files, merge this into the bucket's policy: "
            f"{command}"
        )
    return [f"Browsers cannot read what was published: {url} answers {answer}, {mend}"]


_WHY_CLOSED = {
    "AccessControlListNotSupported": "ACLs are disabled on the bucket (AWS's default)",
    "AccessDenied": "public ACLs are blocked on the bucket, or s3:PutObjectAcl is not granted",
}


def _unreadable(url: str) -> str | None:
    """Returns what a browser gets instead of the object, None when it gets it."""
    request = urllib.request.Request(url, headers={"Range": "bytes=0-0"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_CHECK_SECONDS):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        if error.code == 416:  # an empty object has no first byte
            return None
        return f"HTTP {error.code}{_KMS if b'KMS' in error.read() else ''}"


def _how_to_open(
    bucket: str, region: str, key_prefixes: Sequence[str], endpoint_url: str | None
) -> str:
    """Returns the commands that let anybody read the published files of an existing bucket.

    The second is for every store; the first fails where there is no Block Public Access.
    """
    which = f"--bucket {bucket}" + (f" --endpoint-url {endpoint_url}" if endpoint_url else "")
    text = json.dumps(policy(bucket, region, key_prefixes))
    return (
        f"aws s3api put-public-access-block {which} --public-access-block-configuration "
        "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=false,"
        f"RestrictPublicBuckets=false ; aws s3api put-bucket-policy {which} --policy '{text}'"
    )


def _open(client: Any, bucket: str, region: str, key_prefixes: Sequence[str]) -> list[str]:  # noqa: ANN401
    """Lets anybody read the published files; returns what the store refused."""
    steps: list[tuple[str, Callable[[], Any]]] = []
    if not _has_acls(client, bucket):
        steps = [
            (
                _UNBLOCK,
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
    """Returns whether ACLs are known to be enabled, so that the objects' own ACL opens them.

    Ceph, which cannot disable them, answers without rules.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        controls = client.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    except (BotoCoreError, ClientError):
        return False
    rules = controls.get("Rules", ())
    return all(rule["ObjectOwnership"] != "BucketOwnerEnforced" for rule in rules)


def _tried(bucket: str, what: str, step: Callable[[], Any]) -> str | None:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        step()
    except (BotoCoreError, ClientError) as error:
        if what == _UNBLOCK and code_of(error) == "NotImplemented":
            return None  # a store that knows no Block Public Access blocks nothing
        return f"Bucket {bucket!r} was created, but {what} ({error}): set it by hand."
    return None


def _refused(operation: str, bucket: str, error: Exception) -> StoreError:
    answer = getattr(error, "response", {})
    code = code_of(error)
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
