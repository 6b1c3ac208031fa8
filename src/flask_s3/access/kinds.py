"""The words that somebody chooses by: how browsers reach the files, and what is to be allowed.

Apart from the rest since every `flask` command loads them, for its help.
"""

from __future__ import annotations

from enum import Enum

from ..settings import Settings


class Access(str, Enum):
    """How browsers are to reach the files, by the word of `--access`."""

    POLICY = "policy"
    ACL = "acl"
    CLOUDFRONT = "cloudfront"
    NONE = "none"


class Use(str, Enum):
    """What somebody is to be allowed to do, by the word of `flask s3 policy --for`."""

    PLAN = "plan"
    DEPLOY = "deploy"
    PRUNE = "prune"
    SETUP = "setup"
    BUCKET_MANIFEST = "bucket-manifest"
    PURGE = "purge"


def chosen(access: str | None, settings: Settings) -> Access:
    """Returns how browsers reach the files: as somebody says, or else as the settings have it."""
    if access is not None:
        return Access(access)
    return Access.POLICY if settings.cloudfront_distribution is None else Access.CLOUDFRONT
