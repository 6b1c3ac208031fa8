"""Whatever is deployed, rolled back, pruned, interleaved and killed: the promise holds after it.

A machine of hypothesis makes up the order of commands, and where they die; the store is the one of
`memory.py`, or a real one behind the same wrapper.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from conftest import Bucket, write_files
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from memory import Disk, MemoryBucket, MemoryStore
from promise import Promise, Stands
from servers import Server

from flask_s3.building import assembly
from flask_s3.building.collect import Selection
from flask_s3.building.objects import Build
from flask_s3.errors import FlaskS3Error, StoreError
from flask_s3.manifest import to_json
from flask_s3.release import deploy, prepare, prune, releases, remote, rollback, run, sweeps
from flask_s3.release.publish import Silent
from flask_s3.release.records import record_from_bytes
from flask_s3.serve.serving import state_of
from flask_s3.settings import Settings
from flask_s3.store import flow, s3
from flask_s3.store.s3 import S3Store

OURS = {"x-amz-meta-made": "by hand"}
SHARED = {"css/shared.css": "p { color: red }", "img/i.svg": "<svg/>", "shared.html": "<p>"}
"""What both apps may publish: under one name the same bytes, or it would be refused."""
VERSIONS: list[tuple[dict[str, str], list[str], dict[str, str]]] = [
    ({"a.css": "a { color: red }", "index.html": "<p>0"}, ["css/shared.css", "shared.html"], {}),
    ({"a.css": "a { top: 0 }", "index.html": "<p>1"}, ["css/shared.css"], {}),
    ({"a.css": "a { color: red }", "index.html": "<p>0", "m.js": "0"}, ["img/i.svg"], {}),
    ({"a.css": "a { color: red }", "index.html": "<p>0"}, ["css/shared.css"], OURS),
    ({"a.css": "a { top: 0 }", "about.html": "<p>4"}, ["img/i.svg", "shared.html"], {}),
]
"""The app's own files, those of the shared ones that it has, and headers of its own files."""
APPS = ("shop", "blog")
"""They share one bucket, prefix and all files."""

apps = st.sampled_from(APPS)
versions = st.integers(0, len(VERSIONS) - 1)
# A deploy of such an app makes about fifteen requests that change something.
steps = st.integers(1, 20)


class Died(BaseException):
    """The process was killed: nothing that it would still have done happens."""


@dataclass
class Script:
    """What befalls one command.

    Attributes:
        at: the number of the change at which it does, from 1; 0: never.
        how: `dies`, `dies after`, `fails`, `is not answered`, or `waits`, for `meanwhile`.
        width: how many changes in a row fail, or are not answered.
        meanwhile: another command, run before the change.
        lets: whether it may be run before this change.
    """

    at: int = 0
    how: str = "dies"
    width: int = 1
    meanwhile: Callable[[], None] | None = None
    lets: Callable[[str], bool] = lambda _operation: True
    count: int = 0
    dead: bool = False

    def alive(self) -> None:
        if self.dead:
            raise Died

    def around(self, operation: str, change: Callable[[], Future[Any]]) -> Future[Any]:
        self.alive()
        self.count += 1
        if self.meanwhile is not None and self.count == self.at and self.lets(operation):
            self.meanwhile()
        if not self.at or not self.at <= self.count < self.at + self.width:
            return change()
        if self.how == "dies":
            self.dead = True
            raise Died
        if self.how == "fails":
            return _failed(operation, 403)
        done = change()
        if self.how == "dies after":
            self.dead = True
            raise Died
        return _failed(operation, None) if self.how == "is not answered" else done


def _failed(operation: str, status: int | None) -> Future[Any]:
    future: Future[Any] = Future()
    code = "AccessDenied" if status else "AWS_ERROR_HTTP_CONNECTION_CLOSED"
    error = StoreError(
        code, code=code, status=status, operation=operation, transient=status is None
    )
    future.set_exception(error)
    return future


class Client(MemoryStore):
    """The store as one command has it; tells the world what came into force."""

    def __init__(self, world: World) -> None:
        super().__init__(world.bucket.disk)
        self._world, self._script = world, world.script

    def _asked(self) -> float:
        self._script.alive()
        return super()._asked()

    def _changed(self, operation: str, key: str, change: Callable[[], Any]) -> Future[Any]:
        changed = partial(super()._changed, operation, key, change)
        return self._script.around(operation, changed)

    def _put(self, key: str, data: bytes, headers: Mapping[str, str], condition: Any) -> Any:
        stored = super()._put(key, data, headers, condition)
        self._world.was_written(key, data)
        return stored


class RealClient(S3Store):
    """The same, for a real store."""

    def __init__(self, world: World) -> None:
        super().__init__(Settings.read(world.bucket.config))
        self._world, self._script = world, world.script

    def get(self, key: str) -> Any:
        self._script.alive()
        return super().get(key)

    def put(self, key: str, body: Any, headers: Mapping[str, str], **options: Any) -> Any:
        def put() -> Future[Any]:
            done = put_there(key, body, headers, **options)
            if done.exception() is None and key.startswith(".flask-s3/"):
                self._world.was_written(key, body)
            return done

        put_there = super().put
        return self._script.around("PutObject", put)

    def copy(self, *arguments: Any, **options: Any) -> Any:
        return self._script.around("CopyObject", partial(super().copy, *arguments, **options))

    def delete(self, keys: Sequence[str]) -> Mapping[str, StoreError]:
        def delete() -> Future[Any]:
            done: Future[Any] = Future()
            done.set_result(delete_there(keys))
            return done

        delete_there = super().delete
        answer = self._script.around("DeleteObjects", delete)
        error = answer.exception()
        return dict.fromkeys(keys, error) if isinstance(error, StoreError) else answer.result()


@dataclass
class World:
    """A bucket, and what was ever in force there.

    Attributes:
        bucket: how tests look into it; a real one, or one in memory.
        script: of the command that opens a store next.
        ever: the ids of the releases that were in force.
        seen: every record that was written, by id.
    """

    bucket: Any = field(default_factory=lambda: MemoryBucket(Disk()))
    script: Script = field(default_factory=Script)
    ever: set[str] = field(default_factory=set)
    seen: dict[str, Any] = field(default_factory=dict)
    time: float = 1_700_000_000.0
    numbers: Iterator[int] = field(default_factory=partial(itertools.count, 1))

    def opened(self) -> Any:
        """The bucket as a command has it."""
        return Client(self) if isinstance(self.bucket, MemoryBucket) else RealClient(self)

    def was_written(self, key: str, body: Any) -> None:
        """Keeps in mind what one of our own objects says."""
        data = body if isinstance(body, bytes) else getattr(body, "data", b"")
        if "/releases/" in key and key.startswith(".flask-s3/"):
            record = record_from_bytes(data)
            self.seen[record.id] = record
        elif key.endswith("/current"):
            self.ever.add(json.loads(data)["release"])

    def now(self, _zone: object) -> datetime:
        self.time += 1
        return datetime.fromtimestamp(self.time, timezone.utc)

    def token(self, size: int) -> str:
        return f"{next(self.numbers):0{2 * size}x}"

    def command(self, do: Callable[[], object], script: Script | None = None) -> None:
        """Runs a command to its end, good or bad, or to its death."""
        before, self.script = self.script, script or Script()
        try:
            do()
        except (FlaskS3Error, Died):
            pass
        finally:
            self.script = before


world = World()
"""The one of the example that is run."""
new_world: Callable[[], World] = World


@dataclass
class InForce(Promise):
    """The promise is about releases that were in force: no page was ever made of the others."""

    def look(self) -> Stands:
        stands = super().look()
        self.seen = {id_: record for id_, record in world.seen.items() if id_ in world.ever}
        records = {id_: r for id_, r in stands.records.items() if id_ in world.ever}
        return replace(stands, records=records)

    def _plain(self, now: Stands) -> Iterator[str]:
        """What the release before alone had may be pruned, or be the next one's already."""
        current = now.current
        for line in super()._plain(now):
            key = line.partition(" ")[0]
            has_to_be_there = current is not None and current.after in now.kept
            if current is not None and (
                key in current.objects or (has_to_be_there and key not in now.digests)
            ):
                yield line

    def amiss(self) -> list[str]:
        """What is not as the release in force says, though a deploy came to its end."""
        stands = self.look()
        if stands.current is None:
            return ["no release is in force"]
        return [
            f"{key} has not the bytes of release {stands.current.id}, in force"
            for key, known in stands.current.objects.items()
            if stands.digests.get(key) != known.sha256
        ]


class Shared:
    """The apps, each version in a folder of its own, built once."""

    def __init__(self, root: Any) -> None:
        self.apps = {
            (name, number): _app(root / f"{name}{number}", name, *version)
            for name in APPS
            for number, version in enumerate(VERSIONS)
        }


def _app(
    root: Any, name: str, own: Mapping[str, str], common: Sequence[str], headers: Mapping[str, str]
) -> Flask:
    files = {f"{name}/{path}": data for path, data in own.items()}
    write_files(root / "static", files | {path: SHARED[path] for path in common})
    app = Flask(name, root_path=str(root))
    app.config.update(
        FLASKS3_BUCKET_NAME="memory",
        FLASKS3_FINGERPRINT=True,
        FLASKS3_MANIFEST="bucket",
        FLASKS3_FILEPATH_HEADERS={f"{name}/": dict(headers)} if headers else {},
        AWS_ACCESS_KEY_ID="a",
        AWS_SECRET_ACCESS_KEY="b",
    )
    return app


shared: Shared


@cache
def _built(app: Flask) -> Build:
    return assembly.assemble(app, state_of(app).settings(), Selection())


def _deploy(app: str, version: int, **order: Any) -> bool:
    """Deploys; returns whether all of it worked."""
    made = _prepared(app, version, **order)
    result, _ = deploy.carry_out(made, Silent())
    return not result.failures


def _prepared(app: str, version: int, **order: Any) -> prepare.Prepared:
    flask = shared.apps[app, version]
    wanted = prepare.Order(public=False, **order)
    return prepare.prepare(flask, state_of(flask).settings(), wanted)


def _rollback(app: str, wanted: str | None) -> None:
    flask = shared.apps[app, 0]
    rollback.carry_out(rollback.prepare(flask, state_of(flask).settings(), wanted), Silent())


def _prune(app: str, keep: int) -> None:
    found, store = remote.releases_of(state_of(shared.apps[app, 0]).settings(), app)
    look = partial(prune.stale, found, keep=keep, older_than=timedelta(0))
    prune.prune(found, store, look)


def _destroy(app: str) -> None:
    found, store = remote.releases_of(state_of(shared.apps[app, 0]).settings(), app)
    prune.prune(found, store, partial(prune.everything, found))


@dataclass(frozen=True)
class Command:
    """A command as the machine makes it up."""

    name: str
    app: str
    number: int

    def __call__(self) -> None:
        if self.name == "deploy":
            _deploy(self.app, self.number % len(VERSIONS))
        elif self.name == "exclusive":
            _deploy(self.app, self.number % len(VERSIONS), exclusive=True)
        elif self.name == "everything":
            _deploy(self.app, self.number % len(VERSIONS), everything="all of it")
        elif self.name == "rollback":
            _rollback(self.app, None)
        elif self.name == "rollback to":
            ids = sorted(id_ for id_ in world.ever if id_)
            _rollback(self.app, ids[self.number % len(ids)] if ids else None)
        elif self.name == "prune":
            _prune(self.app, 1 + self.number % 3)
        else:
            _destroy(self.app)

    @property
    def sweeps(self) -> bool:
        return self.name in {"prune", "destroy"}


names = st.sampled_from(
    ["deploy", "deploy", "exclusive", "everything", "rollback", "rollback to", "prune", "destroy"]
)
commands = st.builds(Command, names, apps, st.integers(0, 11))


class Machine(RuleBasedStateMachine):
    """Two apps in one bucket, and people who deploy, roll back, prune and kill."""

    @initialize()
    def begins(self) -> None:
        global world
        world = new_world()
        self.promises = {app: InForce(world.bucket, app) for app in APPS}
        self.held: list[prepare.Prepared] = []

    @rule(app=apps, version=versions)
    def deploys(self, app: str, version: int) -> None:
        worked: list[bool] = []
        world.command(lambda: worked.append(_deploy(app, version)))
        if worked == [True]:
            assert self.promises[app].amiss() == []

    @rule(command=commands)
    def runs(self, command: Command) -> None:
        world.command(command)

    @rule(command=commands, at=steps, how=st.sampled_from(["dies", "dies after"]))
    def dies(self, command: Command, at: int, how: str) -> None:
        world.command(command, Script(at, how))

    @rule(
        command=commands,
        at=steps,
        how=st.sampled_from(["fails", "is not answered"]),
        width=st.integers(1, 8),
    )
    def is_refused(self, command: Command, at: int, how: str, width: int) -> None:
        world.command(command, Script(at, how, width))

    @rule(command=commands, at=steps, other=commands, how=st.sampled_from(["waits", "fails"]))
    def is_overtaken(self, command: Command, at: int, other: Command, how: str) -> None:
        """Another command runs in the middle of one, which goes on after it.

        Here nobody waits for a sweep's lease, so one that is alive may be taken over only where it
        would notice: before it touches the pointer. Another app's never does.
        """

        def lets(operation: str) -> bool:
            if not command.sweeps:
                return True
            return at == 1 or (command.app == other.app and operation != "DeleteObjects")

        script = Script(at, how, 1, partial(world.command, other), lets)
        world.command(command, script)

    @rule(app=apps, version=versions, exclusive=st.booleans())
    def prepares(self, app: str, version: int, exclusive: bool) -> None:
        world.command(lambda: self.held.append(_prepared(app, version, exclusive=exclusive)))

    @rule(at=st.integers(0, 20), how=st.sampled_from(["dies", "dies after", "fails"]))
    def carries_out_what_was_prepared(self, at: int, how: str) -> None:
        if self.held:
            made = self.held.pop()
            made.remote.store._script = script = Script(at, how)
            world.command(lambda: deploy.carry_out(made, Silent()), script)

    @rule(app=apps, which=st.integers(0, 30), deletes=st.booleans())
    def somebody_meddles(self, app: str, which: int, deletes: bool) -> None:
        """Objects are changed behind our back, and a deploy is told to look."""
        current = self.promises[app].look().current
        version = None if current is None else self._version_of(app, current)
        if current is None or version is None:
            return
        keys = sorted(current.objects)
        key = keys[which % len(keys)]
        store = world.opened()
        if deletes:
            store.delete([key])
        else:
            store.write(key, b"other", {}, None)
        worked: list[bool] = []
        world.command(lambda: worked.append(_deploy(app, version, verify_remote=True)))
        assert worked == [True]
        assert self.promises[app].amiss() == []

    def _version_of(self, app: str, record: Any) -> int | None:
        for number in range(len(VERSIONS)):
            made = _prepared(app, number)
            same_keys = {o.key for o in made.objects} == set(record.objects)
            if same_keys and to_json(made.build.manifest) == record.manifest:
                return number
        return None

    @invariant()
    def the_promise_is_kept(self) -> None:
        for app, promise in getattr(self, "promises", {}).items():
            assert promise.violations() == [], app
            pointer = promise.look().pointer
            if pointer.get("release"):
                assert promise.look().current is not None, "the release in force has no record"

    def teardown(self) -> None:
        """Whatever happened before: the next deploy puts it right."""
        for app in APPS if hasattr(self, "promises") else ():
            self.deploys(app, 0)
        self.the_promise_is_kept()


class Clock:
    """`datetime`, as modules use it that ask for the time; each time it is later."""

    @staticmethod
    def now(zone: object) -> datetime:
        return world.now(zone)


@contextmanager
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets nothing wait, and makes ids and times the same in each run of an example."""
    for module in (flow, prune):
        monkeypatch.setattr(module, "delay", lambda _attempt: 0.0)
    for module in (releases, prune):
        monkeypatch.setattr(module, "datetime", Clock)
    monkeypatch.setattr("secrets.token_hex", lambda size: world.token(size))
    monkeypatch.setattr(sweeps, "LEASE", 0.0)
    monkeypatch.setattr(sweeps, "_POLL", 0.0)
    monkeypatch.setattr(prune, "_TOUCH_SECONDS", -1.0)
    monkeypatch.setattr(run, "commit_of", lambda _folder: None)
    monkeypatch.setattr(prepare, "assemble", lambda app, *_: _built(app))
    monkeypatch.setattr(s3, "S3Store", lambda _settings, _region=None: world.opened())
    yield


@pytest.fixture
def versions_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Builds each version of each app once."""
    global shared
    shared = Shared(tmp_path)
    with _nobody_waits(monkeypatch):
        yield


def _run(examples: int, commands: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=commands,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        database=None,
        phases=[Phase.generate, Phase.shrink],
    )
    run_state_machine_as_test(Machine, settings=chosen)


@pytest.mark.usefixtures("versions_built")
def test_no_order_of_commands_and_deaths_breaks_the_promise(request: pytest.FixtureRequest) -> None:
    many = request.config.getoption("--faults")
    _run(1000 if many else 200, 20 if many else 12)


@pytest.mark.usefixtures("versions_built")
def test_a_deploy_that_dies_after_all_was_destroyed_brings_nothing_into_force() -> None:
    """Its record was written already, and holds objects that are gone."""
    for died_at in range(1, 10):
        state = Machine()
        state.begins()
        state.runs(Command("deploy", "shop", 0))
        state.prepares("shop", exclusive=False, version=1)
        state.runs(Command("destroy", "shop", 0))

        state.carries_out_what_was_prepared(at=died_at, how="dies after")

        state.the_promise_is_kept()
        state.runs(Command("deploy", "shop", 0))
        state.the_promise_is_kept()


@pytest.mark.usefixtures("versions_built")
def test_before_the_first_release_there_is_none_even_where_a_deploy_died_after_its_record() -> None:
    """Nothing was ever in force that plain names could have the bytes of, or to go back to."""
    for at in range(1, 9):  # the eighth change writes the record, the ninth moves the pointer
        for then in range(1, 13):
            state = Machine()
            state.begins()
            state.dies(command=Command("deploy", "shop", 0), at=at, how="dies after")

            state.is_refused(command=Command("deploy", "shop", 2), at=then, how="fails", width=1)

            state.the_promise_is_kept()
        state.runs(Command("prune", "shop", 2))
        assert [record.after for record in Promise(world.bucket).look().records.values()] == [None]


@pytest.mark.usefixtures("versions_built")
def test_what_died_after_all_was_destroyed_is_no_release_whose_plain_names_were_promised() -> None:
    """Nothing tells that its record never was in force: the next one comes after it."""
    for died_at in range(1, 13):
        for then in range(1, 13):
            state = Machine()
            state.begins()
            state.runs(Command("deploy", "shop", 0))
            state.prepares("shop", exclusive=False, version=4)
            state.runs(Command("destroy", "shop", 0))
            state.carries_out_what_was_prepared(at=died_at, how="dies after")

            state.is_refused(command=Command("deploy", "shop", 2), at=then, how="fails", width=1)

            state.the_promise_is_kept()


@pytest.mark.usefixtures("versions_built")
def test_a_deploy_uploads_what_went_with_a_neighbour_that_was_destroyed_and_is_back() -> None:
    """The neighbour's new pointer tells of no prune; but it is another pointer."""
    state = Machine()
    state.begins()
    state.runs(Command("deploy", "shop", 0))
    state.prepares("blog", exclusive=False, version=0)
    state.runs(Command("destroy", "shop", 0))
    state.runs(Command("deploy", "shop", 2))

    state.carries_out_what_was_prepared(at=0, how="dies")

    state.the_promise_is_kept()
    assert state.promises["blog"].amiss() == []


@pytest.mark.usefixtures("versions_built")
@pytest.mark.parametrize("died_at", range(1, 8))
def test_a_first_deploy_uploads_what_was_there_until_the_app_came_and_went(died_at: int) -> None:
    """It saw what a dead deploy had left, and no pointer: there is none again when it goes on."""
    state = Machine()
    state.begins()
    state.dies(command=Command("deploy", "shop", 0), at=died_at, how="dies after")
    state.runs(Command("destroy", "shop", 0))
    state.prepares("shop", exclusive=False, version=0)
    state.runs(Command("deploy", "shop", 0))
    state.runs(Command("destroy", "shop", 0))

    state.carries_out_what_was_prepared(at=0, how="dies")

    state.the_promise_is_kept()
    assert state.promises["shop"].amiss() == []


@pytest.mark.usefixtures("versions_built")
def test_nor_does_any_at_a_real_store(
    ministack: Server,
    new_bucket: Callable[[Server], Bucket],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    def opened() -> World:
        return World(new_bucket(ministack).create())

    monkeypatch.setitem(globals(), "new_world", opened)
    _run(20 if request.config.getoption("--faults") else 3, 6)
