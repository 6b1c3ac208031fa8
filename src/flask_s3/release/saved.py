"""A plan as a file, and what changed since it was made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..assets import METADATA_PREFIX, Object
from ..errors import BuildError
from .options import Options
from .plan import Plan

_VERSION = 1
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Saved:
    """A plan to be carried out later, or not at all.

    Attributes:
        bucket: its name and the store's address.
        app: whose (`FLASKS3_APP`), and under which prefix.
        options: what the command was asked for.
        release: the release in force when it was made.
        actions: by key: what, the bytes and headers, and why.
    """

    bucket: str
    app: str
    options: Options
    release: str | None
    actions: Mapping[str, list[Any]] = field(default_factory=dict)


def actions_of(plan: Plan, objects: Mapping[str, Object]) -> dict[str, list[Any]]:
    """Returns what a plan does, as JSON values.

    Args:
        plan: the plan.
        objects: what is wanted, by key.
    """
    actions: dict[str, list[Any]] = {}
    for put in plan.puts:
        actions.setdefault(put.key, []).append(["put", put.reason, *_content(put.object)])
    for keep in plan.keeps:
        actions[keep.key] = [["keep", keep.reason, *_content(objects[keep.key])]]
    for refusal in plan.refusals:
        actions[refusal.key] = [["refuse", refusal.reason]]
    return actions


def _content(made: Object) -> list[Any]:
    return [made.body.sha256, made.body.size, dict(made.headers), made.copy_of, made.follows]


def dumps(saved: Saved) -> str:
    """Returns a plan as JSON, one key a line."""
    head = {
        "version": _VERSION,
        "bucket": saved.bucket,
        "app": saved.app,
        "options": asdict(saved.options),
        "release": saved.release,
    }
    lines = ",\n".join(
        f"  {json.dumps(key, ensure_ascii=False)}: {json.dumps(actions, ensure_ascii=False)}"
        for key, actions in sorted(saved.actions.items())
    )
    return f'{json.dumps(head, indent=1)[:-2]},\n "actions": {{\n{lines}\n }}\n}}\n'


def loads(text: str, source: str) -> Saved:
    """Returns a plan that was saved.

    Args:
        text: the JSON.
        source: where it is from, for the error.

    Raises:
        BuildError: it is no plan, or one of another version.
    """
    try:
        value = json.loads(text)
        saved = Saved(
            str(value["bucket"]),
            str(value["app"]),
            _options(value["options"]),
            value["release"],
            _actions(value["actions"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        saved, value = None, {}
    if saved is None or value.get("version") != _VERSION:
        raise BuildError(
            f"{source} is no plan of this version: make it with `flask s3 plan -o {source}`."
        )
    return saved


def _options(value: Mapping[str, Any]) -> Options:
    options = Options(**value)
    flags = (options.include_hidden, options.verify_remote, options.force)
    if not isinstance(options.only, str | None) or not all(isinstance(f, bool) for f in flags):
        raise TypeError
    return options


def _actions(value: Mapping[str, Any]) -> dict[str, list[Any]]:
    for actions in value.values():
        if not all(isinstance(action, list) and len(action) > 1 for action in actions):
            raise TypeError
    return dict(value)


def changes_since(saved: Saved, now: Saved) -> list[str]:
    """Returns what changed since a plan was made, a line each; nothing when it still holds."""
    found = []
    for what in ("bucket", "app", "release"):
        then, today = getattr(saved, what), getattr(now, what)
        if then != today:
            found.append(f"{what}: {then} then, {today} now")
    keys = sorted(
        key
        for key in {*saved.actions, *now.actions}
        if saved.actions.get(key) != now.actions.get(key) and not key.startswith(METADATA_PREFIX)
    )
    found += [f"{key}: {_told(saved, key)} then, {_told(now, key)} now" for key in keys[:_SHOWN]]
    if len(keys) > _SHOWN:
        found.append(f"and {len(keys) - _SHOWN:,} more")
    return found


def outdated(source: str, found: Iterable[str]) -> BuildError:
    """Returns the error for a plan that does not hold any more."""
    lines = "".join(f"\n  {line}" for line in found)
    return BuildError(
        f"{source} is not what would be done now, so nothing was: make a new plan.{lines}"
    )


def _told(saved: Saved, key: str) -> str:
    return ", ".join(map(_brief, saved.actions.get(key, ()))) or "nothing"


_WORDS = {"put": "upload", "keep": "leave", "refuse": "refuse"}


def _brief(action: list[Any]) -> str:
    digest = f" {str(action[2])[:12]}…" if len(action) > 2 else ""
    return f"{_WORDS.get(action[0], action[0])}{digest} ({action[1]})"
