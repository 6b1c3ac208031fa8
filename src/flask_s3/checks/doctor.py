"""`flask s3 doctor`: what is wrong with settings, bucket and addresses, and what mends it.

A check whose precondition failed is not run, so that no two findings have one root cause; it is
named, and why. Nothing is changed but for the probe object, which is taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..access import note as noting
from ..access.control import Control
from ..access.facts import Facts, Part
from ..access.kinds import Access
from ..building.collect import key_prefixes
from ..cdn.choice import purger
from ..encodings import usable
from ..errors import CredentialsError, SettingsError, StoreError
from ..findings import Finding, Verdict
from ..release import pointer
from ..release.records import Record
from ..release.releases import Current, Releases
from ..release.remote import releases_of
from ..routes import static_routes
from ..serve.serving import state_of
from ..settings import Settings
from ..store.s3 import S3Store
from . import configured, contact, identity, opened, probes, published
from .diagnosis import Diagnosis, refused
from .fetching import Browser
from .identity import Caller
from .loading import LOADED, NEVER_SET_UP, not_loaded
from .outside import Outside
from .published import Sample

if TYPE_CHECKING:
    from flask import Flask

_NEEDS = "{!r} has to be right first"
_NO_APP = "the app does not load"
_NO_RELEASE = "nothing is published yet"


def examine(app: Flask) -> Diagnosis:
    """Returns what is wrong with an app, its bucket and the addresses of its files."""
    diagnosis = Diagnosis()
    diagnosis.add(LOADED, _extension(app))
    given = _settings(app, diagnosis)
    if given is None:
        return diagnosis.ended(_NEEDS.format("settings"))
    diagnosis.add(configured.switched_on(given, _switches(app)), configured.dotted_name(given))
    return _Visit(given, diagnosis).of(app)


def examine_without_app(error: BaseException, environ: Mapping[str, str]) -> Diagnosis:
    """Returns what can be told of an app that does not load.

    Args:
        error: what loading it raised.
        environ: where its settings may stand as well.
    """
    diagnosis = Diagnosis()
    diagnosis.add(not_loaded(error))
    diagnosis.skip(_NO_APP, *_OF_THE_APP)
    config = configured.environment(environ)
    try:
        given = Settings.read(config, environ=environ)
    except SettingsError as wrong:
        diagnosis.add(configured.wrong(wrong))
        return diagnosis.ended(_NO_APP).without(filter(None, map(environ.get, _SECRETS)))
    if given.bucket_name is None:
        diagnosis.skip(_NO_APP, "settings", "dotted name")
    else:
        diagnosis.add(*configured.settings(config, given), configured.dotted_name(given))
    return _Visit(given, diagnosis).of_the_bucket_alone()


def _extension(app: Flask) -> Finding:
    if "s3" in app.extensions:
        return Finding("extension", Verdict.OK, "FlaskS3 is set up on the app.")
    return NEVER_SET_UP


def _switches(app: Flask) -> configured.Switches:
    active = configured.is_on(app.config.get("FLASKS3_ACTIVE", True))
    return configured.Switches(bool(app.debug), bool(app.testing), active)


def _settings(app: Flask, diagnosis: Diagnosis) -> Settings | None:
    """Returns the settings; None, with the reasons noted, where they cannot be used."""
    wrong = configured.wrong_settings(app.config)
    if wrong:
        diagnosis.add(*wrong, *configured.unknown_settings(app.config))
        return None
    try:
        given = state_of(app).settings()
        given.require_bucket()
        purger(app, given)
        usable(given.encodings)
    except SettingsError as error:
        diagnosis.add(configured.wrong(error), *configured.unknown_settings(app.config))
        return None
    wrong = configured.wrong_patterns(given)
    folders = [route.folder for route in static_routes(app)]
    left_out = [] if wrong else configured.left_out(given, _files(folders))
    diagnosis.add(*(wrong or left_out or configured.settings(app.config, given)))
    diagnosis.add(*configured.from_0_3(app.config, given, folders))
    return None if wrong else given


class _Visit:
    """The checks that ask the store, each after those that it builds on.

    Args:
        given: the settings.
        diagnosis: takes the findings.
    """

    def __init__(self, given: Settings, diagnosis: Diagnosis) -> None:
        self._given = given
        self._diagnosis = diagnosis

    def of(self, app: Flask) -> Diagnosis:
        """Returns the diagnosis of an app and its bucket."""
        return self._ended(lambda there: self._look_at_all(app, there), "")

    def of_the_bucket_alone(self) -> Diagnosis:
        """Returns the diagnosis of a bucket whose app does not load."""
        return self._ended(lambda there: self._judge_rules(_control(there).facts(), ()), _NO_APP)

    def _ended(self, look: Callable[[Settings], None], why: str) -> Diagnosis:
        return self._diagnosis.ended(self._looked(look) or why).without(self._given.secrets)

    def _looked(self, look: Callable[[Settings], None]) -> str:
        """Looks at what can be seen; returns why that was not all, empty where it was."""
        add = self._diagnosis.add
        try:
            there = self._reached()
            if there is not None:
                look(there)
                return ""
        except CredentialsError as error:
            add(refused("credentials", error, identity.NO_CREDENTIALS))
        except SettingsError as error:  # what the environment says of proxies and authorities
            add(configured.wrong(error))
        except StoreError as error:
            return _NEEDS.format(self._diagnosis.failed(error))
        last = self._diagnosis.findings[-1]
        return _NEEDS.format(last.check) if last.verdict is Verdict.ERROR else ""

    # -- the store and the bucket

    def _reached(self) -> Settings | None:
        """Returns the settings for the region where the bucket lives, whatever they say of that.

        None, with the reason noted, where it cannot be asked.
        """
        given = self._given
        keys, asked = contact.keys(given)
        if given.bucket_name is None:
            self._diagnosis.add(identity.who(Caller(keys, contact.name(given, asked))))
            return None
        answer, found = contact.first_contact(given, asked)
        who = Caller(keys, None if answer.status is None else contact.name(given, asked))
        if not self._diagnosis.add(*identity.judged(answer, who, given)):
            return None
        self._diagnosis.add(identity.region(given, found))
        return replace(given, region=found or asked)

    def _look_at_all(self, app: Flask, there: Settings) -> None:
        prefixes = key_prefixes(app, self._given)
        releases, store = releases_of(there, app.name)
        current = releases.current()
        record = None if current is None else current.record
        samples = self._judge_release(app, current, releases, store, prefixes)
        control = _control(there)
        facts = control.facts()
        self._judge_rules(facts, prefixes)
        with closing(Browser(self._given.ca_bundle, in_flight=1)) as browser:
            outside = Outside(self._given, browser, samples)
            is_to_be_private = self._is_to_be_private(app, store)
            self._judge_access(facts, prefixes, outside, releases, current, is_to_be_private)
            self._judge_distribution(control)
            if self._judge_cdn(samples, outside):
                self._judge_cors(facts, app, record, samples, outside)
            else:
                self._diagnosis.skip(_NEEDS.format("CDN"), "CORS")
        self._judge_probes(store, releases)

    # -- the release

    def _judge_release(
        self,
        app: Flask,
        current: Current | None,
        releases: Releases,
        store: S3Store,
        prefixes: tuple[str, ...],
    ) -> list[Sample]:
        """Judges what is in force; returns objects of it that are there, to be asked for."""
        record = None if current is None else current.record
        chosen = [] if record is None else published.samples(record, self._given, prefixes)
        there = [sample for sample in chosen if store.head(sample.key).result() is not None]
        lost = {sample.key for sample in chosen} - {sample.key for sample in there}
        self._diagnosis.add(published.release(current, lost))
        if record is None:
            why = _NO_RELEASE if current is None else _NEEDS.format("release")
            self._diagnosis.skip(why, "manifest")
        else:
            self._diagnosis.add(published.in_step(app, self._given, record, releases))
        return there

    # -- who may read

    def _judge_rules(self, facts: Facts, prefixes: tuple[str, ...]) -> None:
        given = self._given
        rules: dict[Part, Callable[[], Finding]] = {
            Part.OWNERSHIP: lambda: opened.ownership(facts, given),
            Part.ENCRYPTION: lambda: opened.encryption(facts, given),
            Part.POLICY: lambda: opened.policy(facts, given, prefixes),
        }
        for part, judge in rules.items():
            if part in facts.unread:
                self._diagnosis.skip(_unread(facts, part), _CHECK_OF[part])
            else:
                self._diagnosis.add(judge())

    def _judge_access(
        self,
        facts: Facts,
        prefixes: tuple[str, ...],
        outside: Outside,
        releases: Releases,
        current: Current | None,
        is_to_be_private: bool,
    ) -> None:
        given, add = self._given, self._diagnosis.add
        seen = outside.objects()
        readable = bool(seen) and all(one.is_readable for one in seen)
        if not prefixes:
            self._diagnosis.skip("the app has no static route", "public access")
        elif facts.is_kms and not given.cdn_domain and not readable:
            self._diagnosis.skip(_NEEDS.format("encryption"), "public access")
        elif Part.POLICY in facts.unread and not seen and not given.cdn_domain:
            self._diagnosis.skip(_unread(facts, Part.POLICY), "public access")
        else:
            access = opened.public_access(
                facts, given, prefixes, seen, is_to_be_private=is_to_be_private
            )
            add(access)
        add(opened.listing(facts, given, outside.roots()))
        key = pointer.key_of(releases.folder)
        add(opened.records(facts, given, prefixes, outside.records(key) if current else ()))

    def _is_to_be_private(self, app: Flask, store: S3Store) -> bool:
        """Returns whether a setting, or the note of set-up, says that only a CDN is to read."""
        given = self._given
        if given.cdn_domain or given.cloudfront_distribution is not None:
            return True
        with suppress(StoreError):  # then nobody knows
            there = store.get(noting.KEY)
            note = noting.Note() if there is None else noting.loads(there.body, store.bucket)
            name = noting.app_key(given.app_name or app.name, given.key_prefix)
            return name in note.apps and note.apps[name].access in _PRIVATE
        return False

    def _judge_distribution(self, control: Control) -> None:
        named = self._given.cloudfront_distribution
        if named is not None and control.distribution(named) == "NoSuchDistribution":
            self._diagnosis.add(opened.no_distribution(self._given))

    def _judge_cors(
        self,
        facts: Facts,
        app: Flask,
        record: Record | None,
        samples: list[Sample],
        outside: Outside,
    ) -> None:
        seen = {}
        if samples and record is not None:
            seen = outside.cors(published.for_cors(record, samples))
        if not all(one.is_readable for one in seen.values()):
            seen = {}  # another finding tells why; the bucket's rules are what is left
        if Part.CORS in facts.unread and not seen:
            self._diagnosis.skip(_unread(facts, Part.CORS), "CORS")
            return
        names = _names(app) if record is None else record.objects
        needed = published.needs_cors(list(names), record, self._given)
        self._diagnosis.add(opened.cors(facts, self._given, needed, seen))

    def _judge_cdn(self, samples: list[Sample], outside: Outside) -> bool:
        """Judges the way to the bucket that browsers take; returns whether they can take it."""
        given = self._given
        if not given.cdn_domain:
            self._diagnosis.skip("FLASKS3_CDN_DOMAIN is not set", "CDN")
            return True
        if not samples:
            self._diagnosis.skip(_NO_RELEASE, "CDN")
            return True
        first, seen = samples[0], outside.cdn()
        fixed = first.is_fingerprinted
        found = opened.cdn(given, seen, first.visible, is_fingerprinted=fixed)
        return self._diagnosis.add(found)

    # -- what the store can do

    def _judge_probes(self, store: S3Store, releases: Releases) -> None:
        try:
            if not self._diagnosis.add(*probes.tried(store, releases.folder)):
                why = _NEEDS.format("writing")
                self._diagnosis.skip(why, "conditional writes", "checksums")
        except probes.NotAllowed:
            why = "the credentials may not take the probe away again (s3:DeleteObject)"
            self._diagnosis.skip(why, "writing", "conditional writes", "checksums")


_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "CLOUDFLARE_API_TOKEN")
_PRIVATE = frozenset({Access.NONE.value, Access.CLOUDFRONT.value})
_OF_THE_APP = ("extension", "0.3 settings", "switched on", "release", "manifest")
_CHECK_OF = {
    Part.OWNERSHIP: "ownership",
    Part.ENCRYPTION: "encryption",
    Part.POLICY: "policy",
}


def _control(there: Settings) -> Control:
    return Control(there, there.region or "")


def _unread(facts: Facts, part: Part) -> str:
    return f"the credentials may not read the {part.value} ({facts.unread[part]})"


def _names(app: Flask) -> list[str]:
    """Returns the names of an app's files, wherever they stand."""
    return [Path(name).name for name in _files([route.folder for route in static_routes(app)])]


def _files(folders: Sequence[str]) -> list[str]:
    """Returns an app's files, relative to the static folder in which each stands."""
    return [
        path.relative_to(folder).as_posix()
        for folder in folders
        for path in Path(folder).rglob("*.*")
    ]
