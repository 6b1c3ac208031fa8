"""How the tests look at what was published: as anybody does, and in our own records."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError
from conftest import Bucket
from flask import Flask

from flask_s3 import PublishError, create_all
from flask_s3.release.result import Result

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    """What somebody without credentials got."""

    status: int
    body: bytes


def anonymously(bucket: Bucket, key: str) -> Answer:
    """Asks for a key as a browser does; an empty key is the listing."""
    try:
        with _http.open(f"{bucket.server.endpoint}/{bucket.name}/{quote(key)}") as answer:
            return Answer(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read())


def anonymous_statuses(bucket: Bucket, *keys: str) -> dict[str, int]:
    """The status that anybody gets for each key."""
    return {key: anonymously(bucket, key).status for key in keys}


def published_in_part(app: Flask, *arguments: Any, **options: Any) -> tuple[Result, PublishError]:
    """What `create_all` did, of which something has to have failed."""
    try:
        result = create_all(app, *arguments, **options)
    except PublishError as error:
        return error.result, error
    raise AssertionError(f"nothing failed: {result}")


def reasons(result: Result) -> dict[str, str]:
    """Why each key failed."""
    return {failure.key: failure.reason for failure in result.failures}


def records(bucket: Bucket) -> list[str]:
    """The keys of all our records."""
    return bucket.keys(".flask-s3/", metadata=True)


def record_in_force(bucket: Bucket, app: str = "shop") -> dict[str, Any]:
    """The release record that an app's pointer names; the app has one prefix only."""
    (pointer,) = (
        key
        for key in records(bucket)
        if key.startswith(f".flask-s3/{app}-") and key.endswith("/current")
    )
    release = json.loads(bucket.get(pointer)["Body"])["release"]
    record = pointer.removesuffix("current") + f"releases/{release}.json"
    return bucket.document(record)


def answer_of(ask: Any) -> Any:
    """What boto3 answers, without what differs from one request to the next; or the error code."""
    try:
        answer = ask()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}
