"""What is to change about a bucket, each with its reason, and the words for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from .facts import Facts, Part
from .kinds import Access
from .note import Note
from .statements import ANYBODY, Reader

# What has to be granted to read a part (Service Authorization Reference, "Amazon S3").
_READING = {
    Part.BUCKET: "s3:ListBucket",
    Part.OWNERSHIP: "s3:GetBucketOwnershipControls",
    Part.BLOCK: "s3:GetBucketPublicAccessBlock",
    Part.POLICY: "s3:GetBucketPolicy",
    Part.CORS: "s3:GetBucketCORS",
    Part.ENCRYPTION: "s3:GetEncryptionConfiguration",
}
_FORBIDDEN = frozenset({"403", "AccessDenied", "AllAccessDisabled"})
_PASSES = "what is not known is not changed, so run it again when the store answers."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an app wants of its bucket.

    Attributes:
        app: its name and prefix, as the note knows it.
        access: how browsers reach its files.
        prefixes: of its keys, such as `static/`.
        origins: of the pages that use its files.
        distribution_arn: of the CloudFront distribution that is to read.
        sse_s3: whether a default encryption with KMS is to give way to SSE-S3.
    """

    app: str
    access: Access
    prefixes: tuple[str, ...]
    origins: tuple[str, ...]
    distribution_arn: str | None = None
    sse_s3: bool = False

    @property
    def reader(self) -> Reader:
        """Who is to read, where a policy says it."""
        return Reader(self.distribution_arn if self.access is Access.CLOUDFRONT else None)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to change.

    Attributes:
        part: of the bucket.
        what: it will be.
        why: what it is now, and what that keeps from working.
        value: what is written.
    """

    part: Part
    what: str
    why: str
    value: Any


@dataclass(frozen=True, slots=True)
class Changes:
    """All that is to change.

    Attributes:
        changes: in the order in which they are safe.
        note: of what was done, when it is done.
        refusals: why nothing is changed at all, a sentence each.
        warnings: what setting up does not mend.
    """

    changes: tuple[Change, ...]
    note: Note
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def creates(self) -> bool:
        """Whether the bucket is missing."""
        return any(change.part is Part.BUCKET for change in self.changes)


class Draft:
    """Changes as they add up."""

    def __init__(self, facts: Facts, note: Note) -> None:
        self.facts = facts
        self.note = note
        self.refusals: list[str] = []
        self.warnings: list[str] = []
        self.changes: list[Change] = []

    def result(self) -> Changes:
        """Returns them; none where something is refused."""
        changes = () if self.refusals else tuple(self.changes)
        return Changes(changes, self.note, tuple(self.refusals), tuple(self.warnings))

    def change(self, part: Part, what: str, why: str, value: object) -> None:
        """Adds a change."""
        self.changes.append(Change(part, what, why, value))

    def refuse_unread(self, needed: Set[Part]) -> None:
        """Refuses to change what cannot be read."""
        for part, code in self.facts.unread.items():
            if part in needed:
                grant = f"grant {_READING[part]} on it, or choose another bucket where it is "
                mend = f"{grant}somebody else's." if code in _FORBIDDEN else _PASSES
                self.refusals.append(
                    f"The {part.value} of {self.facts.bucket!r} cannot be read ({code}): {mend}"
                )

    def take_policy(self, text: str | None) -> None:
        """Goes on with a policy that is yet to be written."""
        policy = None if text is None else json.loads(text)
        self.facts = replace(self.facts, policy_text=text, policy=policy)


def sentence(error: Exception) -> str:
    """Returns an error's text, which begins in the middle of one, as a sentence."""
    text = str(error)
    return text[:1].upper() + text[1:]


def who(reader: Reader) -> str:
    """Returns a reader in words."""
    return "anybody" if reader == ANYBODY else "the distribution"


def listed(words: Iterable[str]) -> str:
    """Returns words as one says them: a, b and c."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def readable(prefixes: Iterable[str]) -> str:
    """Returns in words what stands under key prefixes."""
    return listed(f"{prefix}*" if prefix else "everything but our records" for prefix in prefixes)


def origins(rule: Mapping[str, Any]) -> str:
    """Returns in words whose pages a CORS rule is for."""
    named = rule.get("AllowedOrigins", [])
    return "any origin" if "*" in named else listed(named)
