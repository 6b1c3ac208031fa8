"""Asks the store, through boto3, who we are to it and whether it has the bucket."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from ..assets import METADATA_PREFIX
from ..errors import CredentialsError
from ..settings import Settings
from ..store.boto import client, code_of, failures
from ..store.s3 import chain
from .identity import Contact, masked

_FIRST_REGION = "us-east-1"
# What boto3 adds: the whole URL of a request that nobody made by hand.
_ADDRESS = re.compile(r"(?: URL)?: \"https?://[^\"]*\"")


def keys(settings: Settings) -> tuple[str, str]:
    """Returns where the credentials come from, with what may be shown of the key's id.

    And the region to ask in, before it is known where the bucket lives.

    Raises:
        CredentialsError: there are none.
    """
    static, region = settings.static_keys(), settings.region
    if static is not None:
        return f"static keys{masked(static.access_key_id)}", region or _FIRST_REGION
    credentials, configured = chain()
    shown = masked(credentials.get_frozen_credentials().access_key)
    return f"{credentials.method}{shown}", region or configured or _FIRST_REGION


def name(settings: Settings, region: str) -> str | None:
    """Returns what AWS STS calls us; None where it does not say, as on most other stores."""
    from botocore.parsers import ResponseParserError  # noqa: PLC0415  (takes 0.3 s)

    try:
        answer = client(settings, region, "sts").get_caller_identity()
    except (*failures(), ResponseParserError, ValueError):
        return None
    return str(answer["Arn"]) if answer.get("Arn") else None


def first_contact(settings: Settings, region: str) -> tuple[Contact, str | None]:
    """Returns what the store answers, and where it says that the bucket lives.

    Raises:
        CredentialsError: `AWS_PROFILE` names no profile.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound  # noqa: PLC0415  (as above)
    from botocore.parsers import ResponseParserError  # noqa: PLC0415  (as above)

    bucket = settings.require_bucket()
    try:
        asked = client(settings, region)
        answer = asked.list_objects_v2(Bucket=bucket, Prefix=METADATA_PREFIX, MaxKeys=1)
    except ClientError as error:
        return _contact(code_of(error), error.response)
    except ResponseParserError:
        return Contact("NotS3", 200), None
    except ProfileNotFound as error:
        raise CredentialsError(f"{error}: correct AWS_PROFILE.") from error
    except (BotoCoreError, ValueError) as error:
        said = _ADDRESS.sub("", str(error)).rstrip(".")
        return Contact(type(error).__name__, None, said), None
    contact, found = _contact("" if answer.get("Name") == bucket else "NotS3", answer)
    return contact, found or (None if contact.code else _home(asked, bucket))


def _home(asked: Any, bucket: str) -> str | None:  # noqa: ANN401  (boto3 has no types)
    """Returns where a bucket lives; AWS says it to those as well who may not ask."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (as above)

    try:
        return _contact("", asked.head_bucket(Bucket=bucket))[1]
    except ClientError as error:
        return _contact("", error.response)[1]
    except BotoCoreError:
        return None


def _contact(code: str, answer: Mapping[str, Any]) -> tuple[Contact, str | None]:
    about = answer.get("ResponseMetadata", {})
    headers = about.get("HTTPHeaders", {})
    if code.isdecimal() and "html" in headers.get("content-type", ""):
        code = "NotS3"  # boto3 takes a web page's 200 for a 500
    contact = Contact(code, about.get("HTTPStatusCode"), "", _skew(headers.get("date")))
    return contact, headers.get("x-amz-bucket-region")


def _skew(date: str | None) -> float | None:
    try:
        return None if date is None else time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
