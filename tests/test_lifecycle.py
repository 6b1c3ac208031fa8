"""The lifecycle rules on the page of releases: stores take them, and none takes a live object."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "releases.md").read_text()
WRONG = [
    {"Filter": {"Prefix": "static/"}, "Expiration": {"Days": 365}},
    {"Filter": {"Prefix": ".flask-s3/"}, "Expiration": {"Days": 365}},
    {"Filter": {"Prefix": ""}, "Expiration": {"Date": "2030-01-01T00:00:00Z"}},
    {"Filter": {"Prefix": ""}, "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}]},
    {"Filter": {"Prefix": ""}, "Transitions": [{"Days": 90, "StorageClass": "DEEP_ARCHIVE"}]},
]
HARMLESS = {
    "ID",
    "Status",
    "Filter",
    "AbortIncompleteMultipartUpload",
    "NoncurrentVersionExpiration",
}
READ_AT_ONCE = {"STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "INTELLIGENT_TIERING"}


def on_the_page() -> dict[str, Any]:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    return json.loads(block)


def takes_live_objects(rule: dict[str, Any]) -> bool:
    """Whether a rule deletes current objects or makes them unreadable (S3 API, "LifecycleRule")."""
    expiration = rule.get("Expiration", {"ExpiredObjectDeleteMarker": True})
    classes = {transition["StorageClass"] for transition in rule.get("Transitions", ())}
    return (
        expiration != {"ExpiredObjectDeleteMarker": True}
        or not classes <= READ_AT_ONCE
        or not rule.keys() <= HARMLESS | {"Expiration", "Transitions"}
    )


def test_no_rule_on_the_page_takes_a_live_object():
    rules = on_the_page()["Rules"]

    assert [rule["ID"] for rule in rules if takes_live_objects(rule)] == []
    assert all(rule["Status"] == "Enabled" for rule in rules)


@pytest.mark.parametrize("rule", WRONG, ids=json.dumps)
def test_the_rules_that_the_page_calls_wrong_would_be_found(rule):
    assert takes_live_objects(rule)


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_stores_take_the_rules_as_they_stand_on_the_page(bucket, versioned):
    if versioned:
        bucket.client.put_bucket_versioning(
            Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"}
        )

    bucket.client.put_bucket_lifecycle_configuration(
        Bucket=bucket.name, LifecycleConfiguration=on_the_page()
    )

    held = bucket.client.get_bucket_lifecycle_configuration(Bucket=bucket.name)
    assert held["Rules"] == on_the_page()["Rules"]
