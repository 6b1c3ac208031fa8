"""What each command asks of AWS, and the least IAM policies that allow it.

`PERMISSIONS` is the one place that tells which action is needed, where, for what, and by which page
of AWS's. The sources are the Service Authorization Reference ("Actions, resources, and condition
keys for Amazon S3", "… for Amazon CloudFront", "… for AWS Key Management Service") and, for each
action, the page that its row names: of the Amazon S3 API Reference, where nothing else is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ..assets import METADATA_PREFIX
from ..errors import SettingsError
from ..settings import Settings
from . import note
from .kinds import Use
from .statements import document

MANAGED_LIMIT = 6144
"""Characters that a managed policy may have, white space not counted (IAM User Guide, "IAM and AWS
STS quotas")."""
INLINE_LIMIT = 10240
"""The same for all inline policies of a role together."""

Policy = dict[str, Any]


class Where(Enum):
    """What an action is allowed on, in words; its name makes the statement's `Sid`."""

    BUCKET = "the bucket"
    STATIC_FILES = "the keys of the static routes"
    RELEASES = "the app's own folder under `.flask-s3/`"
    RELEASE_IN_FORCE = "the app's own pointer and records"
    OTHER_RECORDS = "other apps' records"
    OTHER_POINTERS = "other apps' pointers"
    OTHER_SWEEPS = "what other apps' prunes are deleting"
    SETUP_NOTE = f"`{note.KEY}`"
    DISTRIBUTION = "the distribution"
    ENCRYPTION_KEY = "the KMS key"
    ACCOUNT = "`*`, since it takes no resource"


class When(Enum):
    """What makes an action necessary, in words."""

    ALWAYS = ""
    ACL = "`--access acl`, or `x-amz-acl` or `x-amz-grant-…` among the headers"
    TAGS = "`x-amz-tagging` among the headers"
    RETENTION = "`x-amz-object-lock-mode` among the headers"
    LEGAL_HOLD = "`x-amz-object-lock-legal-hold` among the headers"
    KMS = "`--kms-key`, or the key's ARN among the headers"
    DISTRIBUTION = "`FLASKS3_CLOUDFRONT_DISTRIBUTION`"


@dataclass(frozen=True, slots=True)
class Permission:
    """An action that commands need.

    Attributes:
        action: as it stands in a policy.
        where: what it is allowed on.
        uses: what needs it.
        source: AWS's page that says so.
        when: what makes it necessary.
        required: whether a command fails without it.
    """

    action: str
    where: Where
    uses: tuple[Use, ...]
    source: str
    when: When = When.ALWAYS
    required: bool = True


_READS = (Use.PLAN, Use.DEPLOY, Use.PRUNE)
_WRITES = (Use.DEPLOY, Use.PRUNE)
_SETUP = (Use.SETUP,)
_DEPLOY = (Use.DEPLOY,)
_INVALIDATES = (Use.DEPLOY, Use.PURGE)
_API = "CloudFront API Reference, {}".format
_KMS = "Using server-side encryption with AWS KMS keys (User Guide)"

PERMISSIONS: tuple[Permission, ...] = (
    # What is there: HeadBucket and listings; without it a missing key looks forbidden.
    Permission("s3:ListBucket", Where.BUCKET, (*_READS, Use.SETUP), "ListObjectsV2"),
    # HeadObject, the source of a copy.
    Permission("s3:GetObject", Where.STATIC_FILES, (Use.PLAN, Use.DEPLOY), "GetObject"),
    Permission("s3:PutObject", Where.STATIC_FILES, _DEPLOY, "PutObject"),
    Permission("s3:DeleteObject", Where.STATIC_FILES, (Use.PRUNE,), "DeleteObjects"),
    Permission(
        "s3:AbortMultipartUpload",
        Where.STATIC_FILES,
        _DEPLOY,
        "AbortMultipartUpload",
        required=False,
    ),
    # With the ACL that the bucket refuses, an object is sent once more without.
    Permission(
        "s3:PutObjectAcl", Where.STATIC_FILES, _DEPLOY, "PutObject", When.ACL, required=False
    ),
    Permission("s3:PutObjectTagging", Where.STATIC_FILES, _DEPLOY, "PutObject", When.TAGS),
    # A copy takes the tags of its source over.
    Permission("s3:GetObjectTagging", Where.STATIC_FILES, _DEPLOY, "CopyObject", When.TAGS),
    Permission("s3:PutObjectRetention", Where.STATIC_FILES, _DEPLOY, "PutObject", When.RETENTION),
    Permission("s3:PutObjectLegalHold", Where.STATIC_FILES, _DEPLOY, "PutObject", When.LEGAL_HOLD),
    # Pointer, records, documents' bytes; a write with If-Match needs GetObject too.
    Permission("s3:GetObject", Where.RELEASES, _READS, "GetObject"),
    Permission("s3:PutObject", Where.RELEASES, _WRITES, "PutObject"),
    Permission("s3:DeleteObject", Where.RELEASES, (Use.PRUNE,), "DeleteObjects"),
    Permission("s3:GetObject", Where.RELEASE_IN_FORCE, (Use.BUCKET_MANIFEST,), "GetObject"),
    # Whose keys are not to be overwritten or deleted, and which of them are being deleted.
    Permission("s3:GetObject", Where.OTHER_RECORDS, _READS, "GetObject"),
    Permission("s3:GetObject", Where.OTHER_POINTERS, (Use.PLAN, Use.DEPLOY), "GetObject"),
    Permission("s3:GetObject", Where.OTHER_SWEEPS, _DEPLOY, "GetObject"),
    Permission(
        "cloudfront:CreateInvalidation",
        Where.DISTRIBUTION,
        _INVALIDATES,
        _API("CreateInvalidation"),
        When.DISTRIBUTION,
    ),
    Permission(
        "cloudfront:GetInvalidation",
        Where.DISTRIBUTION,
        _INVALIDATES,
        _API("GetInvalidation"),
        When.DISTRIBUTION,
    ),
    Permission("kms:GenerateDataKey", Where.ENCRYPTION_KEY, (*_WRITES, Use.SETUP), _KMS, When.KMS),
    Permission(
        "kms:Decrypt",
        Where.ENCRYPTION_KEY,
        (*_READS, Use.SETUP, Use.BUCKET_MANIFEST),
        _KMS,
        When.KMS,
    ),
    # The bucket itself.
    Permission("s3:CreateBucket", Where.BUCKET, _SETUP, "CreateBucket"),
    Permission("s3:GetBucketOwnershipControls", Where.BUCKET, _SETUP, "GetBucketOwnershipControls"),
    Permission("s3:PutBucketOwnershipControls", Where.BUCKET, _SETUP, "PutBucketOwnershipControls"),
    Permission("s3:GetBucketPublicAccessBlock", Where.BUCKET, _SETUP, "GetPublicAccessBlock"),
    Permission("s3:PutBucketPublicAccessBlock", Where.BUCKET, _SETUP, "PutPublicAccessBlock"),
    Permission("s3:GetBucketPolicy", Where.BUCKET, _SETUP, "GetBucketPolicy"),
    Permission("s3:PutBucketPolicy", Where.BUCKET, _SETUP, "PutBucketPolicy"),
    Permission("s3:DeleteBucketPolicy", Where.BUCKET, _SETUP, "DeleteBucketPolicy"),
    Permission("s3:GetBucketCORS", Where.BUCKET, _SETUP, "GetBucketCors"),
    Permission("s3:PutBucketCORS", Where.BUCKET, _SETUP, "PutBucketCors, DeleteBucketCors"),
    Permission("s3:GetEncryptionConfiguration", Where.BUCKET, _SETUP, "GetBucketEncryption"),
    Permission("s3:PutEncryptionConfiguration", Where.BUCKET, _SETUP, "PutBucketEncryption"),
    Permission("s3:GetObject", Where.SETUP_NOTE, _SETUP, "GetObject"),
    Permission("s3:PutObject", Where.SETUP_NOTE, _SETUP, "PutObject"),
    Permission("s3:DeleteObject", Where.SETUP_NOTE, _SETUP, "DeleteObject"),
    Permission(
        "s3:GetAccountPublicAccessBlock",
        Where.ACCOUNT,
        _SETUP,
        "GetPublicAccessBlock (S3 Control)",
        required=False,
    ),
    Permission(
        "cloudfront:GetDistribution",
        Where.DISTRIBUTION,
        _SETUP,
        _API("GetDistribution"),
        When.DISTRIBUTION,
        required=False,
    ),
)

_BY_HEADER = {
    "x-amz-acl": When.ACL,
    "x-amz-grant-": When.ACL,
    "x-amz-tagging": When.TAGS,
    "x-amz-object-lock-mode": When.RETENTION,
    "x-amz-object-lock-legal-hold": When.LEGAL_HOLD,
}
_KMS_HEADER = "x-amz-server-side-encryption"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What of AWS belongs to an app, so that nothing else is granted.

    Attributes:
        bucket: its name.
        partition: as it stands in ARNs.
        key_prefixes: of the static routes, such as `static/`.
        folder: the app's own under `.flask-s3/`, with a slash at its end.
        conditions: what makes further actions necessary.
        distribution: the id of the one in front; None where there is none.
        account: its number; None: whichever the credentials belong to.
        kms_key: the ARN of the key that objects are encrypted with; None where there is none.
    """

    bucket: str
    partition: str
    key_prefixes: tuple[str, ...]
    folder: str
    conditions: frozenset[When] = frozenset()
    distribution: str | None = None
    account: str | None = None
    kms_key: str | None = None

    def resources(self, where: Where) -> list[str]:
        """Returns the ARNs, or patterns of them, that an action is allowed on."""
        if where is Where.DISTRIBUTION:
            return [distribution_arn(self.partition, self.account or "*", str(self.distribution))]
        if where is Where.ENCRYPTION_KEY:
            return [str(self.kms_key)]
        if where is Where.ACCOUNT:
            return ["*"]
        bucket = f"arn:{self.partition}:s3:::{self.bucket}"
        return [bucket] if where is Where.BUCKET else [f"{bucket}/{k}" for k in self._keys(where)]

    def _keys(self, where: Where) -> list[str]:
        others, own = f"{METADATA_PREFIX}*/", self.folder
        return {
            Where.STATIC_FILES: [f"{_literal(prefix)}*" for prefix in self.key_prefixes],
            Where.RELEASES: [f"{own}*"],
            Where.RELEASE_IN_FORCE: [f"{own}current", f"{own}releases/*"],
            Where.OTHER_RECORDS: [f"{others}releases/*"],
            Where.OTHER_POINTERS: [f"{others}current"],
            Where.OTHER_SWEEPS: [f"{others}sweeps/*"],
            Where.SETUP_NOTE: [note.KEY],
        }[where]


def distribution_arn(partition: str, account: str, distribution: str) -> str:
    """Returns the ARN of a CloudFront distribution.

    Args:
        partition: as it stands in ARNs.
        account: its number; `*`: any, where that is a pattern.
        distribution: its id.
    """
    return f"arn:{partition}:cloudfront::{account}:distribution/{distribution}"


def _literal(text: str) -> str:
    """Returns text as it stands in a resource, where some characters mean more than themselves.

    The source is the IAM User Guide, "IAM policy elements: Variables and tags".
    """
    return re.sub(r"[*?]|\$(?=\{)", lambda found: f"${{{found[0]}}}", text)


def needed(uses: Collection[Use], conditions: Collection[When] = ()) -> list[Permission]:
    """Returns what is needed for some uses, in the order of the table.

    Args:
        uses: which.
        conditions: what makes further actions necessary.
    """
    return [
        one
        for one in PERMISSIONS
        if set(one.uses) & set(uses) and one.when in {When.ALWAYS, *conditions}
    ]


def identity_policy(scope: Scope, uses: Sequence[Use]) -> Policy:
    """Returns the least IAM policy for some uses: for a role or a user, not for the bucket.

    Raises:
        SettingsError: there is no distribution to purge.
    """
    permissions = needed(uses, scope.conditions)
    if Use.PURGE in uses and scope.distribution is None:
        raise SettingsError(
            "FLASKS3_CLOUDFRONT_DISTRIBUTION is not set, so AWS has nothing to purge: set it to "
            "the distribution's id, or leave --for purge out."
        )
    return document(*(one for where in Where for one in _allowed(scope, where, permissions)))


def _allowed(scope: Scope, where: Where, permissions: Iterable[Permission]) -> list[Policy]:
    """Returns the statement for one kind of resource, if there is anything to allow."""
    actions = [one.action for one in permissions if one.where is where]
    resources = scope.resources(where) if actions else []
    if not resources:
        return []
    sid = "FlaskS3" + where.name.title().replace("_", "")
    return [{"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}]


def conditions_of(settings: Settings, *, acl: bool, kms_key: str | None) -> frozenset[When]:
    """Returns what the settings make necessary beside what is needed always.

    Args:
        settings: the app's.
        acl: whether each object is to be opened by its own ACL.
        kms_key: the ARN of the key that objects are encrypted with.
    """
    by_header = (
        when
        for name in settings.all_headers
        for start, when in _BY_HEADER.items()
        if name.startswith(start)
    )
    given = {
        When.ACL: acl,
        When.KMS: kms_key is not None,
        When.DISTRIBUTION: settings.cloudfront_distribution is not None,
    }
    return frozenset(by_header) | {when for when, is_given in given.items() if is_given}


def kms_key_of(settings: Settings, given: str | None) -> str | None:
    """Returns the ARN of the key that objects are encrypted with, None where none is known.

    Args:
        settings: whose headers may name it.
        given: the one that somebody named by hand.

    Raises:
        SettingsError: what was given is the ARN of no key.
    """
    named = settings.all_headers.get(f"{_KMS_HEADER}-aws-kms-key-id", "")
    key = (named if named.startswith("arn:") else None) if given is None else given
    if key is not None and not re.fullmatch(r"arn:[\w-]+:kms:[\w-]+:[0-9]{12}:key/[\w-]+", key):
        raise SettingsError(
            f"{key!r} is no ARN of a KMS key, and an alias or a bare id names none in a policy: "
            "pass --kms-key arn:aws:kms:REGION:ACCOUNT:key/ID, as `aws kms describe-key` prints it."
        )
    return key


def remarks(
    settings: Settings, scope: Scope, uses: Collection[Use], policy: Policy
) -> tuple[str, ...]:
    """Returns what somebody should know of a policy before it is used, a sentence or two each."""
    said = []
    if "" in scope.key_prefixes and {Use.DEPLOY, Use.PRUNE} & set(uses):
        said.append(_WHOLE_BUCKET)
    encryption = settings.all_headers.get(_KMS_HEADER, "")
    if encryption.startswith("aws:kms") and scope.kms_key is None:
        said.append(_KEY_UNKNOWN)
    if (length := length_of(policy)) > MANAGED_LIMIT:
        most = f"{MANAGED_LIMIT:,} in a managed policy and {INLINE_LIMIT:,} inline in a role"
        said.append(_TOO_LONG.format(length, most))
    return tuple(said)


_WHOLE_BUCKET = (
    "A static route is at the root of the bucket, so this policy reaches every key in it, other "
    "apps' records among them: set FLASKS3_PREFIX, or give the app a bucket of its own."
)
_KEY_UNKNOWN = (
    "Objects are encrypted with SSE-KMS by a key whose ARN is not known here, so the policy does "
    "not allow its use: pass --kms-key ARN, unless the key's own policy allows it."
)
_TOO_LONG = (
    "The policy has {:,} characters, and IAM takes {}: print one for each --for, and attach them "
    "as policies of their own."
)


def length_of(policy: Policy) -> int:
    """Returns how long a policy is for IAM, which does not count white space."""
    return sum(not character.isspace() for character in json.dumps(policy))
