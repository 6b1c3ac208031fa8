"""Our CORS rule: pages of other origins may use fonts, modules and files with `integrity`.

Other people's rules stay. Sources: Amazon S3 User Guide, "Elements of a CORS configuration" (at
most 100 rules; the first that matches decides).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Rule = Mapping[str, Any]

RULE_ID = "flask-s3"
MOST_RULES = 100
_METHODS = ("GET", "HEAD")
# A day; no browser remembers a preflight's answer longer (Firefox; Chromium: two hours).
_SECONDS = 86_400


def rule(origins: Iterable[str]) -> dict[str, Any]:
    """Returns the rule that lets the pages of some origins read.

    Args:
        origins: such as `https://shop.example.com`; `*` for any.
    """
    named = sorted(set(origins))
    return {
        "ID": RULE_ID,
        "AllowedMethods": list(_METHODS),
        "AllowedOrigins": ["*"] if "*" in named else named,
        "AllowedHeaders": ["*"],
        "MaxAgeSeconds": _SECONDS,
    }


def ours(rules: Iterable[Rule]) -> Rule | None:
    """Returns our rule, by its name; None where there is none."""
    return next((one for one in rules if one.get("ID") == RULE_ID), None)


def is_same(one: Rule | None, other: Rule | None) -> bool:
    """Returns whether two rules allow the same, whatever the order and the name."""
    if one is None or other is None:
        return one is other
    return _content(one) == _content(other)


def allows(rules: Iterable[Rule], wanted: Rule) -> bool:
    """Returns whether one of the rules is as wanted, whatever its name."""
    return any(is_same(one, wanted) for one in rules)


def with_rule(rules: Sequence[Rule], wanted: Rule | None) -> tuple[Rule, ...]:
    """Returns the rules with ours, in its place where there was one; without it for None."""
    place = next((i for i, one in enumerate(rules) if one.get("ID") == RULE_ID), len(rules))
    others = [one for one in rules if one.get("ID") != RULE_ID]
    return (*others[:place], *([] if wanted is None else [wanted]), *others[place:])


def _content(one: Rule) -> dict[str, object]:
    """Returns what a rule says; an empty list, or 0 seconds, is what some stores say for none."""
    said = {name: value for name, value in one.items() if name != "ID" and value}
    return {name: set(value) if isinstance(value, list) else value for name, value in said.items()}
