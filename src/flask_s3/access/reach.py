"""Whether browsers can read what was published: one object is asked for as they would."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException

from ..settings import Settings

_CHECK_SECONDS = 5
_KMS = " (KMS)"


def check_access(
    url: str, settings: Settings, acl_refusal: str | None, *, just_created: bool
) -> list[str]:
    """Asks for one published object as a browser would; returns what is in the way, if anything.

    Args:
        url: where the object should be readable by anybody.
        settings: what stands in front of the bucket.
        acl_refusal: the code with which the store refused ACLs, None when it did not.
        just_created: whether we made the bucket and its policy a moment ago.
    """
    try:
        answer = _unreadable(url)
    except (OSError, HTTPException, ValueError) as error:  # ValueError: of a host that is none
        return [f"It could not be checked whether browsers can read {url} ({error})."]
    if answer is None:
        return []
    mend = _mend(answer, settings, acl_refusal, just_created=just_created)
    return [f"Browsers cannot read what was published: {url} answers {answer}, {mend}"]


def _mend(answer: str, settings: Settings, acl_refusal: str | None, *, just_created: bool) -> str:
    if settings.cloudfront_distribution is not None:
        return (
            "as it should be where only CloudFront reads the bucket; but the app's URLs lead "
            "there: set FLASKS3_CDN_DOMAIN to the distribution's domain."
        )
    if just_created:
        return "since its new policy takes a while to spread, or was refused: look again soon."
    if answer.endswith(_KMS):
        return (
            "since the bucket encrypts with SSE-KMS, which makes anonymous reads impossible: run "
            "flask s3 setup --sse-s3, then publish everything again (flask s3 deploy --force)."
        )
    return (
        f"since {_WHY_CLOSED.get(acl_refusal or '', 'no policy or ACL allows it')}, and a deploy "
        "never changes an existing bucket: flask s3 setup shows what lets anybody read the static "
        "files, and does it."
    )


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
