"""What decides who may read a bucket, as the bucket stands: pure values.

Sources: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", "Controlling
ownership of objects and disabling ACLs for your bucket", "Setting default server-side encryption
behavior for Amazon S3 buckets".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

OWNER_ENFORCED = "BucketOwnerEnforced"
"""The ownership with which a bucket knows no ACLs: AWS's default since April 2023."""
OBJECT_WRITER = "ObjectWriter"
"""What a bucket without ownership controls has."""
KMS = ("aws:kms", "aws:kms:dsse")
"""The default encryptions under which nobody can read without a signature."""
SSE_S3 = "AES256"

Block = Mapping[str, bool]
"""The four switches of Block Public Access, by name."""

ACL_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls")
POLICY_BLOCKS = ("BlockPublicPolicy", "RestrictPublicBuckets")
OPEN: Block = MappingProxyType(dict.fromkeys((*ACL_BLOCKS, *POLICY_BLOCKS), False))
"""Block Public Access where nobody ever set it."""
CLOSED: Block = MappingProxyType(dict.fromkeys(OPEN, True))
"""Block Public Access of a new bucket on AWS, since April 2023."""


class Part(str, Enum):
    """A part of a bucket that says who may read it."""

    BUCKET = "bucket"
    OWNERSHIP = "ownership"
    BLOCK = "Block Public Access"
    POLICY = "bucket policy"
    CORS = "CORS"
    ENCRYPTION = "default encryption"


@dataclass(frozen=True, slots=True)
class Facts:
    """A bucket, as far as it decides who may read.

    Attributes:
        bucket: its name.
        region: where it lives, or would be created.
        exists: whether it is there.
        ownership: `BucketOwnerEnforced` (no ACLs), `BucketOwnerPreferred` or `ObjectWriter`; None
            where the store knows no such thing.
        block: Block Public Access; None where the store knows none.
        policy_text: the bucket policy as the store keeps it; None where there is none.
        policy: the same, read; None where there is none, or where it is no JSON object.
        cors: the CORS rules, as boto3 gives them.
        encryption_rules: the default encryption, as boto3 gives it.
        unread: what could not be read, and the error code.
        unknown: what the store knows nothing of.
        account_block: the account's own Block Public Access; None where it is not known.
    """

    bucket: str
    region: str
    exists: bool
    ownership: str | None = None
    block: Block | None = None
    policy_text: str | None = None
    policy: Mapping[str, Any] | None = None
    cors: tuple[Mapping[str, Any], ...] = ()
    encryption_rules: tuple[Mapping[str, Any], ...] = ()
    unread: Mapping[Part, str] = field(default_factory=dict)
    unknown: frozenset[Part] = frozenset()
    account_block: Block | None = None

    @property
    def encryption(self) -> str | None:
        """The algorithm of the default encryption: `AES256`, `aws:kms`, …; None where none is."""
        for rule in self.encryption_rules:
            algorithm = rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm")
            if algorithm is not None:
                return str(algorithm)
        return None

    @property
    def is_kms(self) -> bool:
        """Whether new objects are encrypted so that nobody can read them without a signature."""
        return self.encryption in KMS

    @property
    def blocks_policy(self) -> bool:
        """Whether Block Public Access keeps a policy from opening the bucket."""
        return self.block is not None and any(self.block[name] for name in POLICY_BLOCKS)

    @property
    def blocks_acls(self) -> bool:
        """Whether Block Public Access keeps ACLs from opening objects."""
        return self.block is not None and any(self.block[name] for name in ACL_BLOCKS)

    @property
    def has_acls(self) -> bool:
        """Whether ACLs are known to be enabled, so that the objects' own ACL opens them."""
        return self.ownership not in {None, OWNER_ENFORCED}


def new_bucket(bucket: str, region: str) -> Facts:
    """Returns what a bucket is on AWS when it was just created."""
    return Facts(bucket, region, exists=True, ownership=OWNER_ENFORCED, block=CLOSED)
