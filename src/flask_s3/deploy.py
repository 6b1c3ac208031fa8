"""One deploy from start to end: build → look → plan → publish → remember → let plain names follow.

`prepare` changes nothing anywhere; `carry_out` does what was prepared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import bucket, manifest_file, urls
from .assembly import assemble, refuse_problems, told
from .assets import Refuse
from .build import Build
from .collect import Selection, key_prefixes
from .errors import BuildError, StoreError
from .manifest import to_json
from .plan import Known, Plan, changes, everything, without_foreign
from .publish import Progress, Published, expected, publish
from .releases import Current, Overtaken, Record, Releases, merged
from .remote import Remote, held_by, look
from .result import Result
from .settings import BUCKET, Settings
from .store import METADATA_PREFIX, Stored
from .tree import read_tree

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a caller wants of a deploy.

    Attributes:
        selection: which files.
        tree: a tree that was built before, which is published instead of the app's files.
        frozen: whether the manifest at hand has to be that of the build.
        everything: why all of it is uploaded, right or not; None: only what differs.
        verify_remote: look at what the store really holds, rather than at our record of it.
        public: see to it that anybody can read what is published.
    """

    selection: Selection = field(default_factory=Selection)
    tree: Path | None = None
    frozen: bool = False
    everything: str | None = None
    verify_remote: bool = False
    public: bool = True


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan, and what is needed to carry it out.

    Attributes:
        app: whose files.
        settings: the app's.
        order: what was asked for.
        remote: the store as it was found.
        build: what is wanted.
        known: what the store holds, as far as the plan had to know.
        plan: what is to be done, with a reason for each key.
        warnings: what was noticed on the way.
        started: when, in seconds of the monotonic clock.
    """

    app: Flask
    settings: Settings
    order: Order
    remote: Remote
    build: Build
    known: Mapping[str, Known]
    plan: Plan
    warnings: tuple[str, ...]
    started: float


def prepare(app: Flask, settings: Settings, order: Order) -> Prepared:
    """Returns the plan for an app, made of its files and what the store holds.

    Raises:
        BuildError: the files cannot be built, or not as the order says.
        SettingsError: a setting cannot work.
        StoreError: the store does not answer, or does not let us look.
    """
    started = time.monotonic()
    settings.require_bucket()
    settings.static_keys()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(
            look,
            settings,
            settings.app_name or app.name,
            key_prefixes(app, settings),
            closely=order.verify_remote,
            trusting=order.everything is not None,
        )
        build = _build(app, settings, order)
        remote = looking.result()
    held = {} if order.everything is not None else held_by(remote, build.objects)
    plan = _plan(build, held, order)
    return Prepared(
        app=app,
        settings=settings,
        order=order,
        remote=remote,
        build=build,
        known=held,
        plan=without_foreign(plan, _foreign(remote)) if plan.puts else plan,
        warnings=(*build.notes, *told(build.problems), *_lost(remote)),
        started=started,
    )


def _build(app: Flask, settings: Settings, order: Order) -> Build:
    if order.tree is None:
        build = assemble(app, settings, order.selection)
    else:
        build = read_tree(order.tree, settings)
    if settings.strict:
        refuse_problems(build)
    if order.frozen:
        manifest_file.refuse_other(app, settings, build.manifest)
    return build


def _plan(build: Build, held: Mapping[str, Known], order: Order) -> Plan:
    if order.everything is not None:
        return everything(build.objects, build.refusals, order.everything)
    return changes(build.objects, held, build.refusals)


def _foreign(remote: Remote) -> list[tuple[str, Mapping[str, Known]]]:
    return [(record.app, record.objects) for record in remote.other_records()]


def _lost(remote: Remote) -> list[str]:
    if remote.releases is None:
        return [_MAY_NOT_READ]
    if remote.current is None or remote.record is not None:
        return []
    return [_RECORD_LOST + (_EVERYTHING if remote.listed is None else _FROM_LISTING)]


_RECORD_LOST = "The record of what was published is lost or unreadable, so "
_FROM_LISTING = "it was made again from a listing of the bucket."
_EVERYTHING = "it is made again from this upload."
_MAY_NOT_READ = (
    "What is published is not remembered, since the credentials may not read it back: grant "
    "s3:GetObject and s3:ListBucket, so that only what changed has to be uploaded."
)
_OVERTAKEN = (
    "Another deploy of this app ended while this one ran; this one is in force now. Files that "
    "both of them wrote are uploaded again by the next deploy."
)


def carry_out(prepared: Prepared, progress: Progress) -> tuple[Result, Exception | None]:
    """Publishes what was prepared, and remembers it.

    Returns:
        The result, and the first error of the store that stood in the way, for callers who raise.

    Raises:
        StoreError: the bucket cannot be created, or nothing may be written to it.
    """
    warnings = [*prepared.warnings, *_region_unknown_to_urls(prepared)]
    if prepared.remote.bucket_missing:
        warnings += _create_bucket(prepared)
    first, then = prepared.plan.stages()
    current = _begin(prepared, first)
    published = _publish(prepared, first, progress)
    with ThreadPoolExecutor(1) as pool:
        checking = pool.submit(_check_access, prepared, published)
        remembered = _remember(prepared, published, then, current)
    followed = _follow(prepared, then, remembered, progress)
    warnings += [*checking.result(), *remembered.warnings]
    failures = (
        *prepared.plan.refusals,
        *published.failures,
        *_not_sent(published, None),
        *remembered.failures,
        *followed.failures,
        *_not_sent(followed, remembered),
        *_write_manifest(prepared, remembered),
    )
    stored = {**published.stored, **followed.stored}
    result = Result(
        uploaded=tuple(sorted(stored)),
        kept=tuple(keep.key for keep in prepared.plan.keeps),
        deleted=(),
        failed=tuple(failure.key for failure in failures),
        failures=failures,
        warnings=tuple(warnings),
        bytes=published.bytes + followed.bytes,
        seconds=time.monotonic() - prepared.started,
        release=remembered.release,
        interrupted=published.interrupted or followed.interrupted,
    )
    return result, published.cause or remembered.cause or followed.cause


def _publish(prepared: Prepared, plan: Plan, progress: Progress) -> Published:
    return publish(
        plan,
        prepared.remote.store,
        progress,
        public=prepared.order.public,
        concurrency=prepared.settings.concurrency,
    )


def _follow(
    prepared: Prepared, plan: Plan, remembered: _Remembered, progress: Progress
) -> Published:
    """Writes the plain names of the release that is in force now, and notes that they stand."""
    if not plan.puts:
        return Published()
    if not remembered.is_in_force:
        return Published(unsent=[put.key for put in plan.puts], cause=remembered.cause)
    followed = _publish(prepared, plan, progress)
    releases, current = prepared.remote.releases, remembered.current
    if releases is None or current is None or followed.failures or followed.unsent:
        return followed
    try:
        releases.finish(current, max(known.modified for known in followed.stored.values()))
    except StoreError as error:
        reason = f"That the plain names are published could not be recorded: {error}"
        followed.failures.append(Refuse(f"{METADATA_PREFIX}…/current", reason))
        followed.cause = error
    return followed


def _write_manifest(prepared: Prepared, remembered: _Remembered) -> list[Refuse]:
    """Writes the manifest that the app serves by, once the release is in force."""
    settings = prepared.settings
    if not settings.fingerprint or settings.manifest == BUCKET or prepared.order.frozen:
        return []
    if not remembered.is_in_force:
        return []
    try:
        manifest_file.write(prepared.app, settings, prepared.build.manifest)
    except BuildError as error:
        return [Refuse(settings.manifest, str(error))]
    return []


def _create_bucket(prepared: Prepared) -> list[str]:
    return bucket.create(
        prepared.settings,
        prepared.remote.store.region,
        key_prefixes(prepared.app, prepared.settings),
        public=prepared.order.public,
    )


def _region_unknown_to_urls(prepared: Prepared) -> list[str]:
    """Says so when the region that the store told would make other URLs than serving does."""
    settings, region = prepared.settings, prepared.remote.store.region
    if urls.base(settings) == urls.base(replace(settings, region=region)):
        return []
    text = (
        f"The bucket lives in {region}, which serving does not know, so its URLs lead elsewhere: "
        f"set FLASKS3_REGION = {region!r}."
    )
    return [text]


def _check_access(prepared: Prepared, published: Published) -> list[str]:
    """Asks for one published object as a browser would; says what is in the way and what to do."""
    store = prepared.remote.store
    settings = replace(prepared.settings, region=store.region)
    if not published.stored or not prepared.order.public or settings.cdn_domain:
        return []
    key = min(published.stored, key=lambda key: published.stored[key].size)
    return bucket.check_access(
        urls.base(replace(settings, prefix="")).url("/" + urls.quoted(key)),
        settings,
        store.region,
        key_prefixes(prepared.app, settings),
        store.dialect.acl_refusal,
        just_created=prepared.remote.bucket_missing,
    )


def _begin(prepared: Prepared, plan: Plan) -> Current | None:
    """Notes that objects of the release in force are about to be overwritten, if any are."""
    remote = prepared.remote
    if remote.releases is None or remote.current is None or remote.record is None:
        return remote.current
    if not any(put.key in remote.record.objects for put in plan.puts):
        return remote.current
    return remote.releases.begin(remote.current)


@dataclass(frozen=True, slots=True)
class _Remembered:
    """The release in force after the run, and what came up when it was recorded.

    Attributes:
        release: its id; None when there is none.
        is_in_force: whether it is the one that was published.
        current: the pointer to it, where we moved it.
    """

    release: str | None
    is_in_force: bool = True
    current: Current | None = None
    warnings: tuple[str, ...] = ()
    failures: tuple[Refuse, ...] = ()
    cause: StoreError | None = None


def _remember(
    prepared: Prepared, published: Published, then: Plan, current: Current | None
) -> _Remembered:
    """Records the new release unless nothing changed."""
    before = prepared.remote.record
    if prepared.build.is_fingerprinted and (published.failures or published.unsent):
        return _left_as_it_was(prepared, current)
    objects = _objects_now(prepared, published, then)
    if prepared.remote.releases is None or (before is None and not objects):
        return _Remembered(None)
    manifest = to_json(prepared.build.manifest) if prepared.build.is_fingerprinted else None
    is_settled = not then.puts and not (current is not None and current.unfinished)
    if before is not None and is_settled and _is_the_same(before, objects, manifest):
        return _Remembered(before.id)
    releases = prepared.remote.releases
    record = partial(releases.new_record, manifest=manifest)
    try:
        return _recorded(releases, record, objects, before, published, then, current)
    except StoreError as error:
        reason = f"What was published could not be recorded: {error}"
        refused = Refuse(f"{METADATA_PREFIX}…/current", reason)
        release = None if before is None else before.id
        return _Remembered(release, is_in_force=False, failures=(refused,), cause=error)


def _is_the_same(
    before: Record, objects: Mapping[str, Known], manifest: Mapping[str, Any] | None
) -> bool:
    """Returns whether a record says the same; of what followed a release its own lacks the ETag."""
    if before.manifest != manifest or before.objects.keys() != objects.keys():
        return False
    return all(
        known == objects[key] or (not known.etag and _content(known) == _content(objects[key]))
        for key, known in before.objects.items()
    )


def _content(known: Known) -> Known:
    return replace(known, etag="", modified=0.0)


def _left_as_it_was(prepared: Prepared, current: Current | None) -> _Remembered:
    """Leaves the release before in force, and lets the next deploy look at what was sent."""
    releases, before = prepared.remote.releases, prepared.remote.record
    if releases is not None and current is not None:
        with suppress(StoreError):  # then it sends again what is there
            releases.begin(current)
    return _Remembered(None if before is None else before.id, is_in_force=False)


def _recorded(
    releases: Releases,
    new_record: Callable[[Mapping[str, Known]], Record],
    objects: Mapping[str, Known],
    before: Record | None,
    published: Published,
    then: Plan,
    current: Current | None,
) -> _Remembered:
    """Moves the pointer to a record of the objects, and of another deploy's where one got in."""
    base = {} if before is None else before.objects
    warnings: tuple[str, ...] = ()
    written = published.stored.keys() | {put.key for put in then.puts}
    while True:
        record = new_record(objects)
        try:
            moved, more = releases.publish(record, current, unfinished=bool(then.puts))
            return _Remembered(record.id, current=moved, warnings=(*warnings, *more))
        except Overtaken as overtaken:
            current = overtaken.current
            theirs = None if current is None else current.record
            if theirs is not None:
                objects = merged(objects, base, theirs.objects, written)
                base = theirs.objects
            warnings = (_OVERTAKEN,)


def _objects_now(prepared: Prepared, published: Published, then: Plan) -> dict[str, Known]:
    """Returns what the store holds of this app after the run, by key.

    What a filter left out, was refused or never sent stands there as before; a put that failed is
    forgotten, so that the next deploy sends it again. What is found under a refused key may be
    another app's, so only what we remember of it counts. What follows is recorded as it will be.
    """
    before = prepared.remote.record
    remembered = {} if before is None else before.objects
    known = {key: held for key, held in prepared.known.items() if held.sha256 is not None}
    ours = {keep.key for keep in prepared.plan.keeps} | set(published.unsent)
    untouched = ours | {refusal.key for refusal in prepared.plan.refusals}
    if not prepared.build.whole:
        untouched |= remembered.keys() - {failure.key for failure in published.failures}
    objects = {key: remembered[key] for key in untouched & remembered.keys()}
    objects.update({key: known[key] for key in ours & known.keys()})
    objects.update(published.stored)
    for put in then.puts:
        source = objects.get(put.object.copy_of or "")
        # A copy has its source's ETag, unless that went up in parts.
        etag = "" if source is None else source.etag
        objects[put.key] = expected(put.object, Stored(etag, modified=0.0))
    return dict(sorted(objects.items()))


def _not_sent(published: Published, remembered: _Remembered | None) -> list[Refuse]:
    """Says of what was never tried why it was not."""
    if published.interrupted:
        why = "interrupted."
    elif remembered is not None and not remembered.is_in_force:
        why = "it would have followed the release, which is not in force."
    else:
        why = str(published.cause)
    return [Refuse(key, f"Not sent: {why}") for key in published.unsent]
