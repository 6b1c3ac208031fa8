"""One deploy from start to end: collect → build → look → plan → publish → remember.

`prepare` changes nothing anywhere; `carry_out` does what was prepared.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import md5
from typing import TYPE_CHECKING

from . import bucket, urls
from .build import FileBody, Object, build
from .collect import Collection, Selection, collect, read
from .errors import SettingsError, StoreError, WrongRegion
from .flow import Flow, Job
from .headers import kept
from .plan import Known, Plan, Refuse, changes, everything
from .publish import Progress, Published, publish
from .releases import Current, Record, Releases
from .settings import Settings
from .store import BYTES_IN_FLIGHT, S3Store, Store

if TYPE_CHECKING:
    from flask import Flask

# A listing's times and an answer's `Date` come from the same store, but not from the same clock.
_CLOCKS_APART = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a caller wants of a deploy.

    Attributes:
        selection: which files.
        everything: why all of it is uploaded, right or not; None: only what differs.
        verify_remote: look at what the store really holds, rather than at our record of it.
        public: see to it that anybody can read what is published.
    """

    selection: Selection = field(default_factory=Selection)
    everything: str | None = None
    verify_remote: bool = False
    public: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """What a deploy did.

    Attributes:
        uploaded: keys that were written.
        kept: keys that were right already.
        deleted: keys that were removed.
        failed: keys (or paths, where a file has no key) that could not be published.
        failures: the same, each with its reason.
        warnings: what was noticed, a sentence each.
        bytes: how many were sent.
        seconds: how long it took.
        release: the id of the release in force afterwards; None before the first.
    """

    uploaded: tuple[str, ...]
    kept: tuple[str, ...]
    deleted: tuple[str, ...]
    failed: tuple[str, ...]
    failures: tuple[Refuse, ...]
    warnings: tuple[str, ...]
    bytes: int
    seconds: float
    release: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and what is needed to carry it out.

    Attributes:
        plan: what is to be done, with a reason for each key.
        warnings: what was noticed on the way.
        bucket_missing: whether the bucket has to be created first.
        collection: the files.
        known: what the store holds, as far as the plan had to know.
        current: the release in force.
        started: when, in seconds of the monotonic clock.
    """

    settings: Settings
    order: Order
    store: S3Store
    releases: Releases
    collection: Collection
    current: Current | None
    known: Mapping[str, Known]
    plan: Plan
    warnings: tuple[str, ...]
    bucket_missing: bool
    started: float


@dataclass(frozen=True, slots=True)
class _There:
    """What the store says before anything is planned."""

    store: S3Store
    releases: Releases
    current: Current | None
    bucket_missing: bool


def prepare(app: Flask, settings: Settings, order: Order) -> Prepared:
    """Returns the plan for an app, made of its files and what the store holds.

    Raises:
        SettingsError: a setting cannot work.
        StoreError: the store does not answer, or does not let us look.
    """
    started = time.monotonic()
    settings.require_bucket()
    settings.static_keys()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(_look, app, settings)
        collection = collect(app, settings, order.selection)
        built = build(collection.assets, settings, read)
        there = looking.result()
    known = _known(built.objects, collection, there, order)
    plan = _plan(built.objects, known, collection, there, order)
    return Prepared(
        settings=settings,
        order=order,
        store=there.store,
        releases=there.releases,
        collection=collection,
        current=there.current,
        known=known,
        plan=plan,
        warnings=(*collection.warnings, *built.notes, *_lost(there)),
        bucket_missing=there.bucket_missing,
        started=started,
    )


def carry_out(prepared: Prepared, progress: Progress) -> tuple[Result, Exception | None]:
    """Publishes what was prepared, and remembers it.

    Returns:
        The result, and the first error of the store that stood in the way of a key, for callers who
        raise.

    Raises:
        StoreError: the bucket cannot be created, or the release not be recorded.
    """
    warnings = list(prepared.warnings)
    if prepared.bucket_missing:
        warnings += _create_bucket(prepared)
    published = publish(
        prepared.plan,
        prepared.store,
        progress,
        public=prepared.order.public,
        concurrency=prepared.settings.concurrency,
    )
    warnings += _check_access(prepared, published)
    release, noted = _remember(prepared, published)
    failures = (*prepared.plan.refusals, *published.failures, *_not_sent(published))
    result = Result(
        uploaded=tuple(sorted(published.stored)),
        kept=tuple(keep.key for keep in prepared.plan.keeps),
        deleted=(),
        failed=tuple(failure.key for failure in failures),
        failures=failures,
        warnings=(*warnings, *noted),
        bytes=published.bytes,
        seconds=time.monotonic() - prepared.started,
        release=release,
    )
    return result, published.cause


# -- looking


def _look(app: Flask, settings: Settings) -> _There:
    store = S3Store(settings)
    try:
        return _look_into(store, app, settings)
    except WrongRegion as error:
        if settings.region is not None:
            raise SettingsError(
                f"Bucket {store.bucket!r} lives in {error.region}, but FLASKS3_REGION (or "
                f"AWS_REGION) says {settings.region}: set FLASKS3_REGION = {error.region!r}."
            ) from error
        return _look_into(S3Store(settings, error.region), app, settings)


def _look_into(store: S3Store, app: Flask, settings: Settings) -> _There:
    releases = Releases(store, settings.app_name or app.name, settings.prefix.strip("/"))
    try:
        current = releases.current()
    except StoreError as error:
        if error.code != "NoSuchBucket":
            raise
        return _There(store, releases, None, bucket_missing=True)
    missing = current is None and not store.bucket_exists()
    return _There(store, releases, current, missing)


_RECORD_LOST = (
    "The record of what was published is lost or unreadable, so it was made again from a listing "
    "of the bucket."
)


def _lost(there: _There) -> list[str]:
    if there.current is not None and there.current.record is None:
        return [_RECORD_LOST]
    return []


# -- planning


def _plan(
    objects: Sequence[Object],
    known: Mapping[str, Known],
    collection: Collection,
    there: _There,
    order: Order,
) -> Plan:
    if order.everything is not None:
        plan = everything(objects, collection.refusals, order.everything)
    else:
        plan = changes(objects, known, collection.refusals)
    if not plan.puts or there.bucket_missing:
        return plan
    return _without_foreign(plan, there.releases.others())


def _known(
    objects: Sequence[Object], collection: Collection, there: _There, order: Order
) -> Mapping[str, Known]:
    if there.bucket_missing or order.everything is not None:
        return {}
    record = None if there.current is None else there.current.record
    if record is not None and not order.verify_remote:
        return record.objects
    remembered = {} if record is None else record.objects
    return survey(there.store, objects, remembered, collection.key_prefixes)


def survey(
    store: Store,
    objects: Sequence[Object],
    remembered: Mapping[str, Known],
    key_prefixes: Iterable[str],
) -> dict[str, Known]:
    """Returns what the store really holds under the objects' keys.

    One listing a prefix; an object is asked for by itself only where ETag, size or time differ from
    what we remember, or where nothing is remembered.
    """
    listed = {line.key: line for prefix in key_prefixes for line in store.list(prefix)}
    known: dict[str, Known] = {}
    doubtful: dict[str, Object] = {}
    for object_ in objects:
        line = listed.get(object_.key)
        before = remembered.get(object_.key)
        if line is None:
            continue
        if before is not None and _as_remembered(before, line.size, line.etag, line.modified):
            known[object_.key] = before
        elif line.size == object_.body.size:
            doubtful[object_.key] = object_
        else:
            known[object_.key] = Known(line.size, line.etag, line.modified, None, None)
    jobs = (Job(key, partial(store.head, key)) for key in doubtful)
    for outcome in Flow(jobs, most=64, most_bytes=BYTES_IN_FLIGHT):
        if outcome.error is not None:
            raise outcome.error
        if outcome.value is not None:
            known[outcome.key] = _identified(outcome.value, doubtful[outcome.key])
    return known


def _as_remembered(before: Known, size: int, etag: str, modified: float) -> bool:
    same = (before.size, before.etag) == (size, etag)
    return same and modified <= before.modified + _CLOCKS_APART


def _identified(held: Known, wanted: Object) -> Known:
    """Fills the digest in where the ETag is the MD5 of the bytes that are wanted.

    An ETag is the MD5 of an object that went up in one part and is not encrypted with KMS (Amazon
    S3 API Reference, "Object"); where it is something else it equals no MD5.
    """
    if held.sha256 is None and held.etag == _md5(wanted):
        return replace(held, sha256=wanted.body.sha256)
    return held


def _md5(wanted: Object) -> str:
    digest = md5(usedforsecurity=False)
    if not isinstance(wanted.body, FileBody):
        digest.update(wanted.body.data)
        return digest.hexdigest()
    with open(wanted.body.path, "rb") as file:  # noqa: PTH123
        while piece := file.read(1024 * 1024):
            digest.update(piece)
    return digest.hexdigest()


def _without_foreign(plan: Plan, others: Iterable[Record]) -> Plan:
    """Turns puts that would overwrite another app's different object into refusals."""
    puts = {put.key: put for put in plan.puts}
    refusals = list(plan.refusals)
    for other in others:
        for key in puts.keys() & other.objects.keys():
            if not _is_equal(puts[key].object, other.objects[key]):
                refusals.append(Refuse(key, _belongs_to(other)))
                del puts[key]
    return Plan(tuple(puts.values()), plan.keeps, tuple(refusals))


def _is_equal(wanted: Object, held: Known) -> bool:
    return (wanted.body.sha256, kept(wanted.headers)) == (held.sha256, held.headers)


def _belongs_to(other: Record) -> str:
    return (
        f"The app {other.app!r} publishes another file under this key in the same bucket: give one "
        f"of them its own FLASKS3_PREFIX, or, if both are the same app, set FLASKS3_APP = "
        f"{other.app!r}."
    )


# -- carrying out


def _create_bucket(prepared: Prepared) -> list[str]:
    return bucket.create(
        prepared.settings,
        prepared.store.region,
        prepared.collection.key_prefixes,
        public=prepared.order.public,
    )


def _check_access(prepared: Prepared, published: Published) -> list[str]:
    """Asks for one published object as a browser would; says what is in the way and what to do."""
    settings = prepared.settings
    if not published.stored or not prepared.order.public or settings.cdn_domain:
        return []
    key = min(published.stored, key=lambda key: published.stored[key].size)
    url = urls.Base(*_site(settings)).url("/" + urls.quoted(key))
    try:
        answer = bucket.unreadable(url)
    except OSError as error:
        return [f"It could not be checked whether browsers can read {url} ({error})."]
    if answer is None:
        return []
    why = {
        "AccessControlListNotSupported": "ACLs are disabled on the bucket (AWS's default)",
        "AccessDenied": "public ACLs are blocked on the bucket, or s3:PutObjectAcl is not granted",
    }.get(prepared.store.dialect.acl_refusal or "", "no policy or ACL allows it")
    command = bucket.how_to_open(
        prepared.store.bucket, prepared.store.region, prepared.collection.key_prefixes
    )
    text = (
        f"Browsers cannot read what was published: {url} answers {answer}, since {why}, and a "
        "deploy never changes an existing bucket's policy. To let anybody read the static files, "
        f"merge this into the bucket's policy: {command}"
    )
    return [text]


def _site(settings: Settings) -> tuple[str, str]:
    base = urls.base(replace(settings, prefix=""))
    return base.scheme, base.place


def _remember(prepared: Prepared, published: Published) -> tuple[str | None, list[str]]:
    """Records the new release unless nothing changed; returns the id in force, and warnings."""
    before = None if prepared.current is None else prepared.current.record
    objects = _objects_now(prepared, published)
    if before is not None and dict(before.objects) == objects:
        return before.id, []
    if prepared.bucket_missing and not published.stored:
        return None, []
    record = prepared.releases.new_record(objects)
    return record.id, prepared.releases.publish(record, prepared.current)


def _objects_now(prepared: Prepared, published: Published) -> dict[str, Known]:
    """Returns what the store holds of this app after the run, by key.

    What a filter left out, was refused or never sent stands there as before; a put that failed is
    forgotten, so that the next deploy sends it again.
    """
    before = None if prepared.current is None else prepared.current.record
    remembered = {} if before is None else before.objects
    untouched = {keep.key for keep in prepared.plan.keeps} | set(published.unsent)
    untouched |= {refusal.key for refusal in prepared.plan.refusals}
    if not prepared.collection.whole:
        untouched |= remembered.keys() - {failure.key for failure in published.failures}
    objects = {key: remembered[key] for key in untouched & remembered.keys()}
    objects.update({key: prepared.known[key] for key in untouched & prepared.known.keys()})
    objects.update(published.stored)
    return dict(sorted(objects.items()))


def _not_sent(published: Published) -> list[Refuse]:
    why = "interrupted" if published.interrupted else str(published.cause)
    return [Refuse(key, f"Not sent: {why}") for key in published.unsent]
