"""Our statements in a bucket policy: they let read what stands under the key prefixes, no more.

Everything else in a policy is somebody else's, and stays as it is.
Sources: Amazon S3 User Guide, "Bucket policies for Amazon S3" (a policy has at most 20 KB); IAM
User Guide, "IAM JSON policy elements: Sid" (unique in a policy, ASCII letters and digits); Amazon
CloudFront Developer Guide, "Restrict access to an Amazon S3 origin".
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..assets import METADATA_PREFIX
from ..endpoints import bucket_arn
from .facts import Facts

LARGEST_POLICY = 20_480
"""In bytes."""
PUBLIC = "FlaskS3PublicRead"
CLOUDFRONT = "FlaskS3CloudFrontRead"
_ACTION = "s3:GetObject"
_VERSION = "2012-10-17"
_WILD = "*?$"
# Amazon S3 User Guide, "Blocking public access": "The meaning of 'public'". By other conditions,
# such as one on the referrer, anybody still gets in.
_FIXED = frozenset({"StringEquals", "StringLike", "ArnEquals", "ArnLike", "IpAddress"})
_FIXING = frozenset(
    {
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)


class Unmergeable(Exception):
    """The policy cannot take our statement; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who may read.

    Attributes:
        distribution_arn: of a CloudFront distribution; None: anybody.
    """

    distribution_arn: str | None = None

    @property
    def sid(self) -> str:
        """The name of the statement: one for each reader, since a distribution may be replaced."""
        if self.distribution_arn is None:
            return PUBLIC
        return CLOUDFRONT + self.distribution_arn.rpartition("/")[2]

    @property
    def who(self) -> dict[str, Any]:
        """The parts of a statement that name the reader."""
        if self.distribution_arn is None:
            return {"Principal": "*"}
        return {
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Condition": {"StringEquals": {"AWS:SourceArn": self.distribution_arn}},
        }


ANYBODY = Reader()


def is_ours(sid: object) -> bool:
    """Returns whether a statement of that name is one of ours."""
    return isinstance(sid, str) and (sid == PUBLIC or sid.startswith(CLOUDFRONT))


def statement(
    bucket: str, region: str, key_prefixes: Iterable[str], reader: Reader = ANYBODY
) -> dict[str, Any]:
    """Returns the statement that lets somebody read what stands under the prefixes.

    Args:
        bucket: the bucket's name.
        region: where it lives, which decides how ARNs begin.
        key_prefixes: such as `static/`; an empty one is the whole bucket but for our own records.
        reader: who may read.
    """
    arn, prefixes = f"{bucket_arn(bucket, region)}/", sorted(set(key_prefixes))
    made = {"Sid": reader.sid, "Effect": "Allow", "Action": _ACTION, **reader.who}
    if "" in prefixes:
        return {**made, "NotResource": f"{arn}{METADATA_PREFIX}*"}
    return {**made, "Resource": [f"{arn}{prefix}*" for prefix in prefixes]}


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a policy of these statements only."""
    return {"Version": _VERSION, "Statement": list(statements)}


def granted(facts: Facts, reader: Reader = ANYBODY) -> frozenset[str]:
    """Returns the key prefixes that our statement for a reader lets read; none without one.

    Raises:
        Unmergeable: the policy cannot be understood, or the statement is not as we write it.
    """
    found = [one for one in _statements(facts) if one.get("Sid") == reader.sid]
    return frozenset().union(*(_prefixes(one, facts, reader) for one in found))


def with_grant(facts: Facts, key_prefixes: Iterable[str], reader: Reader = ANYBODY) -> str | None:
    """Returns the text of the bucket's policy with our statement for exactly these prefixes.

    Args:
        facts: the bucket, with its policy.
        key_prefixes: none: the statement goes.
        reader: whose statement it is.

    Returns:
        The text; None where nothing is left of the policy.

    Raises:
        Unmergeable: the policy cannot be understood, or would become too large.
    """
    prefixes = tuple(key_prefixes)
    ours = [statement(facts.bucket, facts.region, prefixes, reader)] if prefixes else []
    others = _statements(facts)
    place = next((i for i, one in enumerate(others) if one.get("Sid") == reader.sid), len(others))
    others = [one for one in others if one.get("Sid") != reader.sid]
    statements = [*others[:place], *ours, *others[place:]]
    if not statements:
        return None
    policy = {"Version": _VERSION} if facts.policy is None else dict(facts.policy)
    text = dumped({**policy, "Statement": statements})
    if len(text.encode()) > LARGEST_POLICY and ours:
        raise Unmergeable(
            f"the policy of bucket {facts.bucket!r} would have {len(text.encode()):,} bytes with "
            f"our statement, and S3 takes {LARGEST_POLICY:,}: shorten or merge other statements."
        )
    return text


def dumped(policy: Mapping[str, Any]) -> str:
    """Returns a policy as text, with no byte too many."""
    return json.dumps(policy, ensure_ascii=False, separators=(",", ":"))


def says_the_same(text: str | None, other: str | None) -> bool:
    """Returns whether two policies differ in form only."""
    if text is None or other is None:
        return text is other
    try:
        return bool(_comparable(json.loads(text)) == _comparable(json.loads(other)))
    except (ValueError, RecursionError):
        return text == other


def _comparable(policy: object) -> object:
    """Returns a policy with its statements in a list, as one alone need not be."""
    if not isinstance(policy, Mapping):
        return policy
    return {**policy, "Statement": _listed(policy.get("Statement"))}


def open_to_anybody(facts: Facts) -> tuple[str, ...]:
    """Returns the names of the statements that let anybody in; without one: its number.

    Raises:
        Unmergeable: the policy cannot be understood.
    """
    return tuple(
        str(one.get("Sid", f"number {number}"))
        for number, one in enumerate(_statements(facts), 1)
        if one.get("Effect") == "Allow"
        and is_anybody(one.get("Principal"))
        and not _is_for_some(one.get("Condition"))
    )


def refuse_ungrantable(key_prefixes: Collection[str]) -> None:
    """Refuses prefixes for which no statement can be made that grants just what is meant.

    Raises:
        Unmergeable: one has a `*`, `?` or `$` in it, or leads to our records; or there is none.
    """
    if not key_prefixes:
        raise Unmergeable(
            "the app has no static route, or none whose URLs can be listed, so there is nothing to "
            "let anybody read: give it a static folder."
        )
    for prefix in key_prefixes:
        if prefix.startswith(METADATA_PREFIX):
            raise Unmergeable(
                f"the key prefix {prefix!r} leads to our own records, which nobody else may read: "
                "choose another FLASKS3_PREFIX or static_url_path."
            )
        if any(character in prefix for character in _WILD):
            raise Unmergeable(
                f"the key prefix {prefix!r} has a character ({_WILD}) that a policy reads as a "
                "pattern, so it would grant more: choose another FLASKS3_PREFIX or static_url_path."
            )


def covers(prefixes: Iterable[str], prefix: str) -> bool:
    """Returns whether what stands under one prefix may be read, since others may."""
    return prefix.startswith(tuple(prefixes))


# -- reading a policy


def _statements(facts: Facts) -> list[Mapping[str, Any]]:
    """Returns a policy's statements.

    Raises:
        Unmergeable: it has none that could be understood.
    """
    if facts.policy_text is None:
        return []
    if facts.policy is None:
        raise _foreign(facts, "is no JSON object")
    found = facts.policy.get("Statement")
    statements = [found] if isinstance(found, Mapping) else found
    if not isinstance(statements, list) or not all(isinstance(s, Mapping) for s in statements):
        raise _foreign(facts, "has no list of statements")
    return statements


def _foreign(facts: Facts, how: str) -> Unmergeable:
    return Unmergeable(
        f"the policy of bucket {facts.bucket!r} {how}, so ours cannot be added without losing "
        "something: it stays as it is; correct it by hand."
    )


def _prefixes(one: Mapping[str, Any], facts: Facts, reader: Reader) -> Sequence[str]:
    """Returns what a statement of ours grants.

    Raises:
        Unmergeable: somebody changed it into something that we do not write.
    """
    arn = f"{bucket_arn(facts.bucket, facts.region)}/"
    expected = statement(facts.bucket, facts.region, [""], reader)
    if _said(one) == _said(expected):
        if _listed(one.get("NotResource")) == [expected["NotResource"]]:
            return [""]
        resources = _listed(one.get("Resource"))
        if all(isinstance(r, str) and r.startswith(arn) and r.endswith("*") for r in resources):
            return [resource[len(arn) : -1] for resource in resources]
    raise Unmergeable(
        f"somebody changed the statement {reader.sid} of bucket {facts.bucket!r} into one that "
        "setup does not write: take it out of the policy, or give it another Sid, then run it "
        "again."
    )


def _said(one: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a statement says of anything but resources, in one of the forms it can have."""
    said = {name: value for name, value in one.items() if name not in {"Resource", "NotResource"}}
    both = "Resource" in one and "NotResource" in one
    principal = "*" if is_anybody(one.get("Principal")) else one.get("Principal")
    return {**said, "Principal": principal, "Action": _listed(one.get("Action")), "both": both}


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _is_for_some(condition: object) -> bool:
    """Returns whether AWS does not call public what has a condition: it fixes who may."""
    tests = condition if isinstance(condition, Mapping) else {}
    return any(
        str(key).lower() in _FIXING and not any(c in str(value) for c in "*?")
        for operator, test in tests.items()
        if operator in _FIXED and isinstance(test, Mapping)
        for key, value in test.items()
    )


def is_anybody(principal: object) -> bool:
    """Returns whether a statement's `Principal` is everybody."""
    if isinstance(principal, Mapping):
        return "*" in _listed(principal.get("AWS"))
    return principal == "*"
