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
from ..store.boto import client, code_of
from ..store.s3 import chain
from .identity import Contact, masked

# What boto3 adds: the whole URL of a request that nobody made by hand.
_ADDRESS = re.compile(r"(?: URL)?: \"https?://[^\"]*\"")


def keys(settings: Settings) -> str:
    """Returns where the credentials come from, and what may be shown of the key's id.

    Raises:
        CredentialsError: there are none.
    """
    static = settings.static_keys()
    if static is not None:
        return f"static keys {masked(static.access_key_id)}"
    credentials, _ = chain()
    return f"{credentials.method} {masked(credentials.get_frozen_credentials().access_key)}"


def name(settings: Settings, region: str) -> str | None:
    """Returns what AWS STS calls us; None where it does not say, as on most other stores."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    try:
        answer = client(settings, region, "sts").get_caller_identity()
    except (BotoCoreError, ClientError, ResponseParserError, ValueError):
        return None
    return str(answer["Arn"]) if answer.get("Arn") else None


def first_region(settings: Settings) -> str:
    """Returns the region to ask in, before it is known where the bucket lives."""
    if settings.region or settings.static_keys():
        return settings.region or "us-east-1"
    return chain()[1] or "us-east-1"


def first_contact(settings: Settings, region: str) -> tuple[Contact, str | None]:
    """Returns what the store answers, and where it says that the bucket lives.

    Raises:
        CredentialsError: `AWS_PROFILE` names no profile.
    """
    from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

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


def _home(asked: Any, bucket: str) -> str | None:  # noqa: ANN401
    """Returns where a bucket lives; AWS says it to those as well who may not ask."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

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
