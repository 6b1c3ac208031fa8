"""One deploy from start to end: collect → build → look → plan → publish → remember.

`prepare` changes nothing anywhere; `carry_out` does what was prepared.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from . import bucket, urls
from .build import Object, build
from .collect import Collection, Selection, collect, key_prefixes, read
from .plan import Known, Plan, Refuse, changes, everything, without_foreign
from .publish import Progress, Published, publish
from .remote import Remote, held_by, look
from .result import Result
from .settings import Settings

if TYPE_CHECKING:
    from flask import Flask


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
class Prepared:
    """A plan, and what is needed to carry it out.

    Attributes:
        app: whose files.
        settings: the app's.
        order: what was asked for.
        remote: the store as it was found.
        collection: the files.
        known: what the store holds, as far as the plan had to know.
        plan: what is to be done, with a reason for each key.
        warnings: what was noticed on the way.
        started: when, in seconds of the monotonic clock.
    """

    app: Flask
    settings: Settings
    order: Order
    remote: Remote
    collection: Collection
    known: Mapping[str, Known]
    plan: Plan
    warnings: tuple[str, ...]
    started: float


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
        looking = pool.submit(
            look,
            settings,
            settings.app_name or app.name,
            key_prefixes(app, settings),
            closely=order.verify_remote,
            trusting=order.everything is not None,
        )
        collection = collect(app, settings, order.selection)
        built = build(collection.assets, settings, read)
        remote = looking.result()
    held = {} if order.everything is not None else held_by(remote, built.objects)
    plan = _plan(built.objects, held, collection, order)
    return Prepared(
        app=app,
        settings=settings,
        order=order,
        remote=remote,
        collection=collection,
        known=held,
        plan=without_foreign(plan, _foreign(remote)) if plan.puts else plan,
        warnings=(*collection.warnings, *built.notes, *_lost(remote)),
        started=started,
    )


def _plan(
    objects: Sequence[Object], held: Mapping[str, Known], collection: Collection, order: Order
) -> Plan:
    if order.everything is not None:
        return everything(objects, collection.refusals, order.everything)
    return changes(objects, held, collection.refusals)


def _foreign(remote: Remote) -> list[tuple[str, Mapping[str, Known]]]:
    return [(record.app, record.objects) for record in remote.other_records()]


_RECORD_LOST = (
    "The record of what was published is lost or unreadable, so it was made again from a listing "
    "of the bucket."
)


def _lost(remote: Remote) -> list[str]:
    return [_RECORD_LOST] if remote.current is not None and remote.record is None else []


def carry_out(prepared: Prepared, progress: Progress) -> tuple[Result, Exception | None]:
    """Publishes what was prepared, and remembers it.

    Returns:
        The result, and the first error of the store that stood in the way of a key, for callers who
        raise.

    Raises:
        StoreError: the bucket cannot be created, or the release not be recorded.
    """
    warnings = list(prepared.warnings)
    if prepared.remote.bucket_missing:
        warnings += _create_bucket(prepared)
    published = publish(
        prepared.plan,
        prepared.remote.store,
        progress,
        public=prepared.order.public,
        concurrency=prepared.settings.concurrency,
    )
    with ThreadPoolExecutor(1) as pool:
        checking = pool.submit(_check_access, prepared, published)
        release, noted = _remember(prepared, published)
    warnings += [*checking.result(), *noted]
    failures = (*prepared.plan.refusals, *published.failures, *_not_sent(published))
    result = Result(
        uploaded=tuple(sorted(published.stored)),
        kept=tuple(keep.key for keep in prepared.plan.keeps),
        deleted=(),
        failed=tuple(failure.key for failure in failures),
        failures=failures,
        warnings=tuple(warnings),
        bytes=published.bytes,
        seconds=time.monotonic() - prepared.started,
        release=release,
        interrupted=published.interrupted,
    )
    return result, published.cause


def _create_bucket(prepared: Prepared) -> list[str]:
    return bucket.create(
        prepared.settings,
        prepared.remote.store.region,
        key_prefixes(prepared.app, prepared.settings),
        public=prepared.order.public,
    )


def _check_access(prepared: Prepared, published: Published) -> list[str]:
    """Asks for one published object as a browser would; says what is in the way and what to do."""
    settings, store = prepared.settings, prepared.remote.store
    if not published.stored or not prepared.order.public or settings.cdn_domain:
        return []
    key = min(published.stored, key=lambda key: published.stored[key].size)
    return bucket.check_access(
        urls.base(replace(settings, prefix="")).url("/" + urls.quoted(key)),
        settings,
        store.region,
        key_prefixes(prepared.app, settings),
        store.dialect.acl_refusal,
    )


def _remember(prepared: Prepared, published: Published) -> tuple[str | None, list[str]]:
    """Records the new release unless nothing changed; returns the id in force, and warnings."""
    before = prepared.remote.record
    objects = _objects_now(prepared, published)
    if before is not None and dict(before.objects) == objects:
        return before.id, []
    if before is None and not objects:
        return None, []
    record = prepared.remote.releases.new_record(objects)
    return record.id, prepared.remote.releases.publish(record, prepared.remote.current)


def _objects_now(prepared: Prepared, published: Published) -> dict[str, Known]:
    """Returns what the store holds of this app after the run, by key.

    What a filter left out, was refused or never sent stands there as before; a put that failed is
    forgotten, so that the next deploy sends it again. What is found under a refused key may be
    another app's, so only what we remember of it counts.
    """
    before = prepared.remote.record
    remembered = {} if before is None else before.objects
    known = {key: held for key, held in prepared.known.items() if held.sha256 is not None}
    ours = {keep.key for keep in prepared.plan.keeps} | set(published.unsent)
    untouched = ours | {refusal.key for refusal in prepared.plan.refusals}
    if not prepared.collection.whole:
        untouched |= remembered.keys() - {failure.key for failure in published.failures}
    objects = {key: remembered[key] for key in untouched & remembered.keys()}
    objects.update({key: known[key] for key in ours & known.keys()})
    objects.update(published.stored)
    return dict(sorted(objects.items()))


def _not_sent(published: Published) -> list[Refuse]:
    why = "interrupted" if published.interrupted else str(published.cause)
    return [Refuse(key, f"Not sent: {why}") for key in published.unsent]
