"""What the store's first answer tells: who we are to it, and whether the bucket is there. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .. import endpoints
from ..findings import Finding, Verdict
from ..settings import Settings, can_be_new

TOO_SKEWED = 15 * 60
"""Seconds after which S3 refuses a signature (Amazon S3 API Reference, "RequestTimeTooSkewed")."""
_NOTEWORTHY = 60
_CREDENTIALS = {
    "InvalidAccessKeyId": ("does not know the access key", "AWS_ACCESS_KEY_ID"),
    "SignatureDoesNotMatch": (
        "says that the secret does not belong to the access key",
        "AWS_SECRET_ACCESS_KEY",
    ),
    "ExpiredToken": ("says that the session token has expired", "AWS_SESSION_TOKEN"),
    "InvalidToken": ("does not know the session token", "AWS_SESSION_TOKEN"),
}
_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "403"})


@dataclass(frozen=True, slots=True)
class Contact:
    """What the store answered to a listing of our own records.

    Attributes:
        code: the error's; empty when there was none.
        status: of the answer; None when none came.
        said: why none came.
        skew: how far this machine's clock is ahead of the store's, in seconds; None where the
            answer has no `Date`.
    """

    code: str
    status: int | None
    said: str = ""
    skew: float | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who we are to the store.

    Attributes:
        keys: where the credentials come from, with the key's id, masked.
        name: as AWS STS names it (an ARN); None where nobody tells.
    """

    keys: str
    name: str | None


def masked(key_id: str) -> str:
    """Returns what may be shown of an access key's id, after a space; of a short one nothing."""
    return f" {key_id[:4]}…{key_id[-4:]}" if len(key_id) >= 16 else ""


def judged(contact: Contact, caller: Caller, given: Settings) -> list[Finding]:
    """Returns the findings on the store, the clock, the credentials and the bucket.

    After an error there are no more of them: what is behind it cannot be seen.
    """
    address = given.endpoint_url or f"https://{endpoints.regional_host(given.region)}"
    found = [_store(contact, address)]
    bucket = _named_twice(contact, given) or _bucket(contact, given)
    for check in (_clock(contact), _credentials(contact, caller), bucket):
        if found[-1].verdict is Verdict.ERROR:
            return found
        found.append(check)
    return found


def _store(contact: Contact, address: str) -> Finding:
    if contact.status is None:
        return Finding(
            "store",
            Verdict.ERROR,
            f"The store at {address} cannot be reached: {contact.said}.",
            "Nothing can be published, or checked, without it.",
            "Correct FLASKS3_ENDPOINT_URL or FLASKS3_REGION, or mend the network.",
        )
    if contact.code in {"NotS3", "404", "405"}:
        return Finding(
            "store",
            Verdict.ERROR,
            f"What answers at {address} does not speak S3.",
            "Nothing can be published there.",
            'app.config["FLASKS3_ENDPOINT_URL"] = "https://…"  # the address of the S3 API',
        )
    return Finding("store", Verdict.OK, f"The store at {address} answers.")


def _clock(contact: Contact) -> Finding:
    seconds = abs(contact.skew or 0.0)
    if contact.code != "RequestTimeTooSkewed" and seconds < _NOTEWORTHY:
        return Finding("clock", Verdict.OK, "This machine's clock is that of the store.")
    refused = contact.code == "RequestTimeTooSkewed" or seconds > TOO_SKEWED
    way = "ahead of" if (contact.skew or 0.0) > 0 else "behind"
    apart = f"{seconds:,.0f} seconds {way}" if seconds else "far from"
    return Finding(
        "clock",
        Verdict.ERROR if refused else Verdict.WARNING,
        f"This machine's clock is {apart} the store's.",
        f"Requests signed more than {TOO_SKEWED // 60} minutes off are refused.",
        "sudo timedatectl set-ntp true",
    )


def _credentials(contact: Contact, caller: Caller) -> Finding:
    if contact.code in _CREDENTIALS:
        what, setting = _CREDENTIALS[contact.code]
        return Finding(
            "credentials",
            Verdict.ERROR,
            f"The store {what} ({caller.keys}).",
            "Every request of a deploy is refused.",
            f"Correct {setting}, or get new credentials.",
        )
    return who(caller)


def who(caller: Caller) -> Finding:
    """Returns who we are, where nothing speaks against it."""
    name = f"We are {caller.name}, by" if caller.name else "The store is asked with"
    return Finding("credentials", Verdict.OK, f"{name} {caller.keys}.")


NO_CREDENTIALS = "Nothing can be published without them; pages need none."
"""Why it matters that credentials are missing, or half of a pair."""


def _named_twice(contact: Contact, given: Settings) -> Finding | None:
    """Returns the error that an endpoint with the bucket's name in it is; None where it has none.

    Only where the store refused: an endpoint may end like that, and be right.
    """
    name, endpoint = given.require_bucket(), given.endpoint_url or ""
    if not contact.code or not endpoint.endswith(f"/{name}"):
        return None
    return Finding(
        "bucket",
        Verdict.ERROR,
        f"FLASKS3_ENDPOINT_URL ends with the bucket's name ({contact.code}).",
        f"So the store is asked for {name}/{name}, which it does not have.",
        f'app.config["FLASKS3_ENDPOINT_URL"] = "{endpoint.removesuffix(f"/{name}")}"',
    )


def _bucket(contact: Contact, given: Settings) -> Finding:
    name = given.require_bucket()
    if not contact.code:
        return Finding("bucket", Verdict.OK, f"Bucket {name!r} is there, and can be listed.")
    if contact.code == "NoSuchBucket":
        return Finding(
            "bucket",
            Verdict.ERROR,
            f"There is no bucket {name!r}.",
            "Files cannot be published, and pages name addresses at which nothing is.",
            "flask s3 setup" if can_be_new(name) else "Choose another FLASKS3_BUCKET_NAME.",
        )
    if contact.code in _DENIED:
        return Finding(
            "bucket",
            Verdict.ERROR,
            f"The store does not let these credentials list bucket {name!r} ({contact.code}).",
            "It belongs to somebody else, or they lack s3:ListBucket, without which a deploy "
            "cannot tell what is published.",
            "flask s3 policy --for deploy",
        )
    return Finding(
        "bucket",
        Verdict.ERROR,
        f"The store refused to list bucket {name!r} ({contact.code}).",
        "A deploy would meet the same.",
        "See the store's documentation for the code.",
    )


def region(given: Settings, found: str | None) -> Finding:
    """Returns whether the settings name the region where the bucket lives.

    Args:
        given: the settings.
        found: where the bucket lives, as the store says; None where it does not say.
    """
    if found is None or given.region == found:
        where = given.region or "the store's own region"
        return Finding("region", Verdict.OK, f"The bucket lives in {where}.")
    fix = f'app.config["FLASKS3_REGION"] = "{found}"'
    if given.region is not None:
        return Finding(
            "region",
            Verdict.ERROR,
            f"The bucket lives in {found}, but FLASKS3_REGION (or AWS_REGION) says {given.region}.",
            "A deploy refuses that, and URLs may name a host that does not serve the bucket.",
            fix,
        )
    named = given.endpoint_url or given.cdn_domain or given.chosen("bucket_domain")
    if not named and not endpoints.serves_globally(found):
        return Finding(
            "region",
            Verdict.ERROR,
            f"The bucket lives in {found}, and FLASKS3_REGION is not set.",
            f"URLs name the global host, which does not reach buckets in {found}.",
            fix,
        )
    return Finding("region", Verdict.OK, f"The bucket lives in {found}, as the store says.")
