"""Who may read the bucket: its own rules, and what anybody got who asked. Pure.

What was seen counts for more than what rules say: a store may know other ways to open a bucket.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..access.changes import listed
from ..access.facts import OWNER_ENFORCED, Facts, Part
from ..assets import METADATA_PREFIX
from ..cdn.paths import how_to_purge
from ..findings import Finding, Verdict
from ..settings import Settings
from .grants import anybody_may, keys_named, pattern

_LISTINGS = ("application/xml", "text/xml")
_WRITES = ("s3:PutObject", "s3:DeleteObject", "s3:PutObjectAcl")
ANY_ORIGIN = "https://www.example.com"
"""Stands for the pages of anybody."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What anybody got who asked for a URL.

    Attributes:
        url: the URL.
        status: of the answer; None when none came.
        said: why none came.
        sha256: of the body, decoded.
        content_type: without its parameters.
        allow_origin: the header Access-Control-Allow-Origin.
    """

    url: str
    status: int | None
    said: str = ""
    sha256: str = ""
    content_type: str = ""
    allow_origin: str | None = None

    @property
    def is_readable(self) -> bool:
        """Whether the object was handed out."""
        return self.status == 200

    @property
    def answer(self) -> str:
        """What the URL does, for people."""
        return f"answers HTTP {self.status}" if self.status else f"gives no answer ({self.said})"


def ownership(facts: Facts, given: Settings) -> Finding:
    """Returns whether the headers that files are sent with suit the bucket's ownership."""
    if facts.ownership == OWNER_ENFORCED and "x-amz-acl" in given.all_headers:
        return Finding(
            "ownership",
            Verdict.ERROR,
            "ACLs are disabled on the bucket, but the settings send x-amz-acl.",
            "The store refuses every file that is sent with one.",
            "Take x-amz-acl out of FLASKS3_HEADERS and FLASKS3_FILEPATH_HEADERS.",
        )
    acls = "enabled" if facts.has_acls else "disabled"
    stands = f"{facts.ownership}: ACLs are {acls}" if facts.ownership else "the store's own way"
    return Finding("ownership", Verdict.OK, f"Objects are owned as usual ({stands}).")


def encryption(facts: Facts, given: Settings) -> Finding:
    """Returns whether the default encryption lets anybody read what is published next."""
    if not facts.is_kms:
        how = facts.encryption or "none of its own"
        return Finding("encryption", Verdict.OK, f"Anybody may decrypt (default: {how}).")
    if given.cdn_domain:
        return Finding(
            "encryption",
            Verdict.WARNING,
            f"New objects are encrypted with {facts.encryption}.",
            "The CDN can read them only if the key's policy lets it.",
            "flask s3 setup --sse-s3",
        )
    return Finding(
        "encryption",
        Verdict.ERROR,
        f"New objects are encrypted with {facts.encryption}.",
        "Nobody can read such an object without a signature, so no browser can.",
        _WITHOUT_KMS,
    )


def policy(facts: Facts, given: Settings, prefixes: Sequence[str]) -> Finding:
    """Returns whether the bucket policy lets anybody write the static files, or our records.

    Where the static routes' prefixes are not known, whether it lets anybody write at all.
    """
    if facts.policy_text is not None and facts.policy is None:
        return Finding(
            "policy",
            Verdict.WARNING,
            "The bucket policy is no JSON object.",
            "Whom it lets in cannot be told, and `flask s3 setup` leaves it alone.",
            aws("get-bucket-policy", given, "--query Policy --output text"),
        )
    keys = [f"{prefix}x" for prefix in (*prefixes, METADATA_PREFIX)]
    keys += [] if prefixes else keys_named(facts)
    granted = [a for a in _WRITES if any(anybody_may(facts, a, key) for key in keys)]
    if granted:
        return Finding(
            "policy",
            Verdict.ERROR,
            f"The bucket policy lets anybody do {', '.join(granted)}.",
            "Whoever likes can replace the scripts that your pages load.",
            aws("get-bucket-policy", given, "--query Policy --output text")
            + "  # and take the statement out",
        )
    return Finding(
        "policy", Verdict.OK, "The bucket policy lets nobody else write the app's files."
    )


def public_access(
    facts: Facts,
    given: Settings,
    prefixes: Sequence[str],
    seen: Sequence[Seen],
    *,
    is_to_be_private: bool,
) -> Finding:
    """Returns whether browsers can read what stands under the static routes' key prefixes.

    Args:
        facts: the bucket's rules, which tell why not, and stand in where nothing is published.
        given: the settings.
        prefixes: of the static routes' keys.
        seen: what anybody got who asked for published objects.
        is_to_be_private: whether somebody chose that only a CDN reads the bucket.
    """
    if given.cdn_domain:
        return _behind_a_cdn(seen)
    shut = next((one for one in seen if not one.is_readable), None)
    if seen and shut is None:
        return Finding("public access", Verdict.OK, f"Anybody can read {_named(prefixes)}.")
    if shut is not None and shut.status not in _REFUSED:
        return Finding(
            "public access",
            Verdict.ERROR,
            f"The bucket's address does not hand files out: {shut.url} {shut.answer}.",
            "Pages find none of their files there.",
            "Correct FLASKS3_BUCKET_DOMAIN, FLASKS3_ENDPOINT_URL or FLASKS3_USE_HTTPS.",
        )
    why_not = _why_closed(facts, prefixes)
    if shut is None and not why_not:
        return Finding(
            "public access", Verdict.OK, f"Anybody may read {_named(prefixes)}, once it is there."
        )
    what = f"{shut.url} {shut.answer}" if shut else f"{_named(prefixes)} cannot be read"
    fix = _THROUGH_THE_CDN if is_to_be_private else "flask s3 setup"
    return Finding(
        "public access",
        Verdict.ERROR,
        f"Browsers cannot read the published files: {what}.",
        why_not or _WHY_ELSE,
        _WITHOUT_KMS if shut is not None and shut.status == _KMS_STATUS else fix,
    )


_KMS_STATUS = 400
"""What S3 answers without a signature for what is encrypted with KMS (`InvalidArgument`)."""
_REFUSED = frozenset({_KMS_STATUS, 401, 403})
_THROUGH_THE_CDN = (
    "The bucket is private on purpose: set FLASKS3_CDN_DOMAIN to what reads it (docs/bucket.md); "
    "or open it: flask s3 setup --access policy"
)
_WITHOUT_KMS = "flask s3 setup --sse-s3 && flask s3 deploy --force"

_WHY_ELSE = (
    "The bucket's own rules allow it: the account or the organisation blocks it, or the objects "
    "belong to somebody else, or were encrypted with KMS."
)


def _behind_a_cdn(seen: Sequence[Seen]) -> Finding:
    private = "private, as it may be" if any(not one.is_readable for one in seen) else "also public"
    state = private if seen else "the CDN's to read"
    return Finding("public access", Verdict.OK, f"Behind the CDN, the bucket itself is {state}.")


def _why_closed(facts: Facts, prefixes: Sequence[str]) -> str:
    """Returns what in the bucket's rules keeps browsers out; empty where nothing does."""
    if facts.has_acls and not facts.blocks_acls:
        return ""  # a deploy opens each object by its own ACL
    if Part.POLICY in facts.unread:
        return "What keeps them out cannot be told: we may not read the bucket policy."
    shut = [p for p in prefixes if not anybody_may(facts, "s3:GetObject", f"{p}x")]
    if shut:
        return f"No statement of the bucket policy lets anybody read {_named(shut)}."
    if facts.blocks_policy:
        return "Block Public Access keeps the bucket's policy from opening it."
    return ""


def listing(facts: Facts, given: Settings, seen: Sequence[Seen]) -> Finding:
    """Returns whether anybody can list the bucket; `seen` are its root, and the CDN's.

    What the policy says counts where no address answers.
    """
    at = next((one.url for one in seen if one.is_readable and one.content_type in _LISTINGS), None)
    by_policy = anybody_may(facts, "s3:ListBucket", None)
    if at is None and not (by_policy and all(one.status is None for one in seen)):
        return Finding("listing", Verdict.OK, "Nobody else can list the bucket.")
    mend = (
        aws("get-bucket-policy", given, "--query Policy --output text")
        + "  # and take s3:ListBucket for everybody out"
        if by_policy
        else aws("put-bucket-acl", given, "--acl private")
    )
    return Finding(
        "listing",
        Verdict.ERROR,
        f"Anybody can list the bucket{f', at {at}' if at else ''}.",
        "Every name in it is public, files that no page mentions included.",
        mend,
    )


def records(
    facts: Facts, given: Settings, prefixes: Sequence[str], seen: Sequence[Seen]
) -> Finding:
    """Returns whether anybody can read our own records; `seen` are the pointer, and the CDN's."""
    at = next((one.url for one in seen if one.is_readable), None)
    if at is None and not anybody_may(facts, "s3:GetObject", f"{METADATA_PREFIX}x"):
        return Finding("our records", Verdict.OK, f"Nobody else can read {METADATA_PREFIX}.")
    return Finding(
        "our records",
        Verdict.ERROR,
        f"Anybody can read our records in the bucket{f', such as {at}' if at else ''}.",
        "They tell every file of every release, and from which commit it came.",
        aws("get-bucket-policy", given, "--query Policy --output text")
        + f"  # and let the statement name {_named(prefixes)} only: flask s3 setup adds one",
    )


def origins(given: Settings) -> tuple[str, ...]:
    """Returns the origins whose pages have to be let in."""
    return tuple(ANY_ORIGIN if one == "*" else one for one in given.cors_origins)


def cors(
    facts: Facts, given: Settings, needed_by: Collection[str], seen: Mapping[str, Seen]
) -> Finding:
    """Returns whether pages of `FLASKS3_CORS_ORIGINS` may use fonts and modules.

    Args:
        facts: the bucket's rules.
        given: the settings.
        needed_by: what needs it here: `fonts`, …
        seen: by origin, what it got for a published object; empty where nothing is published.
    """
    by_rules = [o for o in given.cors_origins if not any(_lets(r, o) for r in facts.cors)]
    by_sight = [o for o, one in seen.items() if one.allow_origin not in {"*", o}]
    refused = by_sight if seen else by_rules
    if not refused:
        return Finding("CORS", Verdict.OK, "Pages of other origins may use fonts and modules.")
    if not needed_by:
        return Finding("CORS", Verdict.OK, "No file here needs CORS, and it is not granted.")
    pages = ", ".join("any origin" if one in {"*", ANY_ORIGIN} else one for one in refused)
    what = f"Pages of {pages} are not let in by CORS."
    why = f"Browsers then block {listed(needed_by)} that such pages ask for."
    if given.cdn_domain and not by_rules:
        return Finding(
            "CORS",
            Verdict.ERROR,
            what,
            f"{why} The bucket's own rules let them in: the CDN loses the header.",
            "Let the CDN add it, or hand the Origin header on to the bucket: docs/bucket.md",
        )
    return Finding("CORS", Verdict.ERROR, what, why, "flask s3 setup")


def _lets(rule: Mapping[str, Any], origin: str) -> bool:
    """Returns whether a CORS rule lets an origin read; `*` stands for any, once in a pattern."""
    patterns = map(pattern, rule.get("AllowedOrigins", ()))
    return "GET" in rule.get("AllowedMethods", ()) and any(p.fullmatch(origin) for p in patterns)


def cdn(given: Settings, seen: Seen, sha256: str | None, *, is_fingerprinted: bool) -> Finding:
    """Returns whether the CDN's address leads to the bucket.

    Args:
        given: the settings.
        seen: what anybody got there for a published object.
        sha256: of the object, decoded, as the release's record has it; None when unknown.
        is_fingerprinted: whether its name changes with its content, so that no cache can be stale.
    """
    said = _wrong_answer(given, seen)
    if said is None and sha256 in {None, seen.sha256}:
        return Finding("CDN", Verdict.OK, f"{given.cdn_domain} leads to the bucket.")
    if said is not None:
        why, fix = said
        what = f"{seen.url} {seen.answer}."
        return Finding("CDN", Verdict.ERROR, what, why, fix)
    what = f"{seen.url} answers with other bytes than the release in force has."
    if is_fingerprinted:
        why = "The CDN reads another bucket, or changes files on their way."
        return Finding("CDN", Verdict.ERROR, what, why, _POINT_AT.format(given.require_bucket()))
    why = "The CDN keeps a stale copy, reads another bucket, or changes files on their way."
    return Finding("CDN", Verdict.WARNING, what, why, how_to_purge(given, [seen.url]))


def _wrong_answer(given: Settings, seen: Seen) -> tuple[str, str] | None:
    """Returns why a published object is not handed out and what to do; None where it is."""
    if seen.status is None:
        return "Pages find none of their files there.", "Correct FLASKS3_CDN_DOMAIN, or its DNS."
    if seen.status == 403:
        behind = " --access cloudfront" if given.cloudfront_distribution else ""
        return "The CDN may not read the bucket.", f"flask s3 setup{behind}"
    if seen.status != 200:
        fix = _POINT_AT.format(given.require_bucket())
        return "The CDN does not reach the object in the bucket.", fix
    if "html" in seen.content_type:
        return (
            "A web page stands where a file of the bucket should.",
            "Correct FLASKS3_CDN_DOMAIN, or the CDN's origin.",
        )
    return None


def no_distribution(given: Settings) -> Finding:
    """Returns the error that a CloudFront distribution is which is not there."""
    return Finding(
        "CDN",
        Verdict.ERROR,
        f"This account has no CloudFront distribution {given.cloudfront_distribution!r}.",
        "The purge at the end of each deploy fails.",
        "Correct FLASKS3_CLOUDFRONT_DISTRIBUTION, or use the credentials of the account that has "
        "it.",
    )


_POINT_AT = "Make bucket {!r} the CDN's origin, without a path of its own."


def aws(command: str, given: Settings, more: str) -> str:
    """Returns a command of AWS's CLI on the bucket."""
    at = f" --endpoint-url {given.endpoint_url}" if given.endpoint_url else ""
    return f"aws s3api {command} --bucket {given.require_bucket()}{at} {more}"


def _named(prefixes: Sequence[str]) -> str:
    return ", ".join(f"{prefix}*" for prefix in prefixes) or "the static files"
