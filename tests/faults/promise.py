"""What a deploy promises, checked against what is really in the bucket.

*Every fingerprinted URL of a kept release answers 200 with its bytes; a plain URL answers 200 with
the bytes of the previous or the current release.*

    promise = Promise(bucket)
    ...
    assert promise.violations() == []     # whatever died or is still under way
    assert promise.unsettled() == []      # once a deploy came to its end
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from conftest import Bucket

from flask_s3.headers import kept
from flask_s3.release.records import (
    Record,
    Sweep,
    owner,
    record_from_bytes,
    sweep_from_json,
)


@dataclass(frozen=True)
class Stands:
    """What stands in the bucket of an app at one moment.

    Attributes:
        pointer: its JSON; empty when there is none.
        records: the releases of which there is a record, by id.
        sweeps: what prunes left, or are about to delete.
        digests: of all objects in the bucket, by key.
    """

    pointer: Mapping[str, Any]
    records: Mapping[str, Record]
    sweeps: tuple[Sweep, ...]
    digests: Mapping[str, str]

    @property
    def current(self) -> Record | None:
        return self.records.get(self.pointer.get("release") or "")

    @property
    def kept(self) -> dict[str, Record]:
        """The releases that no prune has begun to take away."""
        condemned = {id_ for sweep in self.sweeps for id_ in sweep.releases}
        return {id_: record for id_, record in self.records.items() if id_ not in condemned}


@dataclass
class Promise:
    """Looks at one app's releases in a bucket, with boto3 and nothing of the publisher's.

    Attributes:
        seen: every release that was ever looked at, by id: the one before the one in force may be
            pruned while plain names still have its bytes.
    """

    bucket: Bucket
    app: str = "shop"
    prefix: str = ""
    seen: dict[str, Record] = field(default_factory=dict)
    _digests: dict[tuple[str, str, int], str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        return f".flask-s3/{owner(self.app, self.prefix)}/"

    def look(self) -> Stands:
        """Reads all of it; an object with the same ETag, which is an MD5 here, is read once."""
        digests = dict(self._read())
        pointer = f"{self.folder}current"
        records, sweeps = [], []
        for key in digests:
            if key.startswith(f"{self.folder}releases/"):
                records.append(record_from_bytes(self._get(key)))
            elif key.startswith(f"{self.folder}sweeps/"):
                sweeps.append(sweep_from_json(self._get(key)))
        assert None not in records, "a record that nobody can read"
        by_id = {record.id: record for record in records if record is not None}
        self.seen.update(by_id)
        says = json.loads(self._get(pointer)) if pointer in digests else {}
        return Stands(says, by_id, tuple(filter(None, sweeps)), digests)

    def violations(self) -> list[str]:
        """Returns what a visitor would miss now, whatever died or is still under way."""
        now = self.look()
        return [*self._fingerprinted(now), *self._plain(now)]

    def lacking(self) -> list[str]:
        """Returns what a page of the release in force would miss, whatever other records say."""
        now = self.look()
        current = now.current
        if current is None:
            return []
        return list(self._lost(current, now))

    def unsettled(self) -> list[str]:
        """Returns what is not as it has to be once the last command came to its end."""
        now, found = self.look(), self.violations()
        current = now.current
        if current is None:
            return [*found, "no release is in force"]
        if now.pointer["sweep"]:
            found.append(f"still says that it sweeps: {now.pointer}")
        for key, known in current.objects.items():
            if now.digests.get(key) != known.sha256:
                found.append(f"{key} has not the bytes of the release in force")
            else:
                found += self._described(key, current)
        return found

    def _described(self, key: str, record: Record) -> Iterator[str]:
        """Says how an object differs from what the record tells of it."""
        known, there = record.objects[key], self.bucket.head(key)
        if there["ContentLength"] != known.size:
            yield f"{key} has {there['ContentLength']} bytes, its record says {known.size}"
        if known.etag not in {"", there["ETag"].strip('"')}:
            yield f"{key} has ETag {there['ETag']}, its record says {known.etag}"
        headers = kept(there["ResponseMetadata"]["HTTPHeaders"])
        if headers != kept(known.headers or {}):
            yield f"{key} has {headers}, its record says {known.headers}"

    def _fingerprinted(self, now: Stands) -> Iterator[str]:
        if now.pointer.get("release") and now.current is None:
            yield f"the release in force has no record: {now.pointer}"
        in_force = {now.current.id: now.current} if now.current else {}
        for record in {**now.kept, **in_force}.values():
            yield from self._lost(record, now)

    def _lost(self, record: Record, now: Stands) -> Iterator[str]:
        for key, known in record.objects.items():
            if key not in record.copies and now.digests.get(key) != known.sha256:
                how = "has other bytes" if key in now.digests else "is gone"
                yield f"{key} of release {record.id} {how}"

    def _plain(self, now: Stands) -> Iterator[str]:
        """Says which plain names of the release before are gone, or have other bytes.

        Of a name that only the release in force has, nothing is promised until it is copied.
        """
        before = self.seen.get((now.current and now.current.after) or "")
        if now.current is None or before is None:
            return
        if before.id in now.kept:
            names = before.copies.keys()
        else:  # pruned, and those names with it that only it had
            names = before.copies.keys() & now.current.copies.keys()
        for key in names:
            allowed = [
                one.objects[key].sha256 for one in (before, now.current) if key in one.objects
            ]
            if now.digests.get(key) not in allowed:
                how = "has the bytes of neither" if key in now.digests else "is gone from"
                yield f"{key} {how} release {now.current.id} (in force) nor the one before"

    def _read(self) -> Iterator[tuple[str, str]]:
        pages = self.bucket.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket.name
        )
        for page in pages:
            for line in page.get("Contents", ()):
                seen = (line["Key"], line["ETag"], line["Size"])
                if seen not in self._digests:
                    self._digests[seen] = sha256(self._get(line["Key"])).hexdigest()
                yield line["Key"], self._digests[seen]

    def _get(self, key: str) -> bytes:
        return self.bucket.get(key)["Body"]
