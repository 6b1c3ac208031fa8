"""Reads and writes, through boto3, what decides who may read a bucket.

This is control, not data. What a store does not know is never deleted there: Ceph RGW 16 takes
`DELETE ?ownershipControls` for the deletion of the bucket.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import CredentialsError, StoreError
from ..redaction import without_secrets
from ..settings import Settings
from ..store.boto import client, code_of, failures, on_aws
from .facts import OBJECT_WRITER, OPEN, Block, Facts, Part, new_bucket

# What stores answer that do not know a part at all (SeaweedFS, R2, older Ceph).
_UNKNOWN = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405", "UnsupportedOperation"})
# What AWS answers for a part that nobody set.
_UNSET = {
    Part.POLICY: "NoSuchBucketPolicy",
    Part.CORS: "NoSuchCORSConfiguration",
    Part.BLOCK: "NoSuchPublicAccessBlockConfiguration",
    Part.OWNERSHIP: "OwnershipControlsNotFoundError",
    Part.ENCRYPTION: "ServerSideEncryptionConfigurationNotFoundError",
}


class Control:
    """A bucket, as its owner sees it.

    Args:
        settings: the bucket, its store and the credentials.
        region: where the bucket lives, or is to live.

    Raises:
        CredentialsError: AWS's own configuration, which boto3 reads in any case, is wrong.
    """

    def __init__(self, settings: Settings, region: str) -> None:
        self.bucket = settings.require_bucket()
        self.region = region
        self._settings = settings
        # AWS_PROFILE names no profile, say.
        wrong: tuple[type[Exception], ...] = (*failures(), ValueError)
        try:
            self._client = client(settings, region)
        except wrong as error:
            said = without_secrets(str(error), settings.secrets).rstrip(".")
            raise CredentialsError(
                f"boto3, which sets buckets up, cannot be used: {said}. Correct AWS_PROFILE, or "
                "the file that AWS_CONFIG_FILE names."
            ) from error

    # -- reading

    def facts(self) -> Facts:
        """Returns the bucket as it stands; what cannot be read is named, and why."""
        found = Facts(self.bucket, self.region, exists=True)
        unread: dict[Part, str] = {}
        there = self._asked(lambda: self._client.head_bucket(Bucket=self.bucket))
        if isinstance(there, str):
            if there in {"404", "NoSuchBucket"}:
                return replace(found, exists=False)
            unread[Part.BUCKET] = there
        values: dict[str, Any] = {}
        unknown = set()
        for part, read in self._readings().items():
            answer = self._asked(read)
            if isinstance(answer, Mapping):
                values.update(_READ[part](answer))
            elif answer == _UNSET[part]:
                values.update(_WHEN_UNSET.get(part, {}))
            elif answer in _UNKNOWN:
                unknown.add(part)
            else:
                unread[part] = answer
        return replace(found, **values, unread=unread, unknown=frozenset(unknown))

    def _readings(self) -> dict[Part, Callable[[], Any]]:
        ask, name = self._client, {"Bucket": self.bucket}
        return {
            Part.OWNERSHIP: lambda: ask.get_bucket_ownership_controls(**name),
            Part.BLOCK: lambda: ask.get_public_access_block(**name),
            Part.POLICY: lambda: ask.get_bucket_policy(**name),
            Part.CORS: lambda: ask.get_bucket_cors(**name),
            Part.ENCRYPTION: lambda: ask.get_bucket_encryption(**name),
        }

    def _asked(self, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | str:
        """Returns the answer, or the code of the error that came in its place."""
        try:
            return ask()
        except failures() as error:
            return code_of(error)

    def facts_of_new(self) -> Facts:
        """Returns a bucket that was just created; what cannot be read is as it is on AWS."""
        facts, new = self.facts(), new_bucket(self.bucket, self.region)
        assumed: dict[str, Any] = {}
        if Part.OWNERSHIP in facts.unread:
            assumed["ownership"] = new.ownership
        if Part.BLOCK in facts.unread:
            assumed["block"] = new.block
        return replace(facts, exists=True, unread={}, **assumed)

    def account(self) -> str | None:
        """Returns the number of the account that the credentials belong to; None where unknown."""
        answer = self._asked(
            lambda: client(self._settings, self.region, "sts").get_caller_identity()
        )
        return str(answer["Account"]) if isinstance(answer, Mapping) else None

    def account_block(self) -> Block | None:
        """Returns the account's own Block Public Access; None where that cannot be told."""
        if not on_aws(self._settings):
            return None
        account = self.account()
        if account is None:
            return None
        answer = self._asked(
            lambda: client(self._settings, self.region, "s3control").get_public_access_block(
                AccountId=account
            )
        )
        return _block(answer)["block"] if isinstance(answer, Mapping) else None

    def distribution(self, distribution: str) -> Mapping[str, Any] | str:
        """Returns a CloudFront distribution, or the code of the error that came in its place."""
        answer = self._asked(
            lambda: client(self._settings, self.region, "cloudfront").get_distribution(
                Id=distribution
            )
        )
        return answer["Distribution"] if isinstance(answer, Mapping) else str(answer)

    # -- writing

    def write(self, part: Part, value: Any) -> None:  # noqa: ANN401  (as boto3 takes it)
        """Makes one part of the bucket what it is to be.

        Args:
            part: which.
            value: for the bucket, anything (it is created); for the ownership, its word; for the
                block, the four switches; for the policy, its text, None for none; for CORS and the
                encryption, the rules as boto3 takes them.

        Raises:
            StoreError: the store refused.
        """
        operation, arguments = _request(part, value, self.region)
        try:
            getattr(self._client, operation)(Bucket=self.bucket, **arguments)
        except failures() as error:
            if part is Part.BUCKET and code_of(error) == "BucketAlreadyOwnedByYou":
                return  # the answer to an earlier attempt was lost
            raise _refused(_camel(operation), self.bucket, error) from error


def _block(answer: Mapping[str, Any]) -> dict[str, Any]:
    found = answer.get("PublicAccessBlockConfiguration", {})
    return {"block": {name: bool(found.get(name)) for name in OPEN}}


def _ownership(answer: Mapping[str, Any]) -> dict[str, Any]:
    rules = answer.get("OwnershipControls", {}).get("Rules", ())
    # Ceph RGW 16, where ACLs are always enabled, takes the question for one without rules.
    return {"ownership": next((rule["ObjectOwnership"] for rule in rules), OBJECT_WRITER)}


def _policy(answer: Mapping[str, Any]) -> dict[str, Any]:
    text = answer["Policy"]
    try:
        policy = json.loads(text)
        json.dumps(policy, ensure_ascii=False).encode()  # half a character cannot be written again
    except (ValueError, RecursionError):
        policy = None
    return {"policy_text": text, "policy": policy if isinstance(policy, dict) else None}


_READ: Mapping[Part, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    Part.OWNERSHIP: _ownership,
    Part.BLOCK: _block,
    Part.POLICY: _policy,
    Part.CORS: lambda answer: {"cors": tuple(answer.get("CORSRules", ()))},
    Part.ENCRYPTION: lambda answer: {
        "encryption_rules": tuple(
            answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", ())
        )
    },
}
_WHEN_UNSET: Mapping[Part, dict[str, Any]] = {
    Part.OWNERSHIP: {"ownership": OBJECT_WRITER},
    Part.BLOCK: {"block": OPEN},
}


def _request(
    part: Part,
    value: Any,  # noqa: ANN401  (as boto3 takes it)
    region: str,
) -> tuple[str, dict[str, Any]]:
    """Returns boto3's method and its arguments for what a part is to be."""
    if part is Part.BUCKET:
        place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        return "create_bucket", {} if region == "us-east-1" else place
    if part is Part.OWNERSHIP:
        rules = [{"ObjectOwnership": value}]
        return "put_bucket_ownership_controls", {"OwnershipControls": {"Rules": rules}}
    if part is Part.BLOCK:
        return "put_public_access_block", {"PublicAccessBlockConfiguration": dict(value)}
    if part is Part.POLICY:
        return ("put_bucket_policy", {"Policy": value}) if value else ("delete_bucket_policy", {})
    if part is Part.CORS:
        rules = [dict(rule) for rule in value]
        put = ("put_bucket_cors", {"CORSConfiguration": {"CORSRules": rules}})
        return put if rules else ("delete_bucket_cors", {})
    encryption = {"Rules": [dict(rule) for rule in value]}
    return "put_bucket_encryption", {"ServerSideEncryptionConfiguration": encryption}


def _camel(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("_"))


_EXPLANATIONS = {
    "BucketAlreadyExists": "somebody else has a bucket of that name: choose another "
    "FLASKS3_BUCKET_NAME.",
    "InvalidBucketName": "it has 3 to 63 lower-case letters, digits and '-': choose another "
    "FLASKS3_BUCKET_NAME.",
    "AccessDenied": "the credentials lack s3:{grant}: grant it.",
    "AccessControlListNotSupported": "the bucket has an ACL of its own: take its grants out first.",
}
# Where the permission has another name than the operation (Service Authorization Reference).
_GRANTS = {
    "CreateBucket": "CreateBucket, or the bucket is somebody else's",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "PutBucketPolicy": "PutBucketPolicy, or a Block Public Access of the account or organisation "
    "forbids public policies, which set-up never changes",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
}


def _refused(operation: str, bucket: str, error: Exception) -> StoreError:
    answer = getattr(error, "response", {})
    code = code_of(error)
    said = answer.get("Error", {}).get("Message") or code
    explained = _EXPLANATIONS.get(code, "").format(grant=_GRANTS.get(operation, operation))
    why = explained or f"it said {said!r}."
    return StoreError(
        f"The store refused {operation} of bucket {bucket!r} ({code}): {why}",
        code=code,
        status=answer.get("ResponseMetadata", {}).get("HTTPStatusCode"),
        operation=operation,
    )
