"""What a bucket policy lets anybody do: pure.

Source: AWS IAM User Guide, "IAM JSON policy elements reference".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..access.facts import Facts
from ..access.statements import is_anybody
from ..endpoints import bucket_arn


def anybody_may(facts: Facts, action: str, key: str | None) -> bool:
    """Returns whether the policy lets anybody do something to a key, None for the bucket itself.

    Statements with conditions are for some, not for anybody.
    """
    arn = bucket_arn(facts.bucket, facts.region)
    arn += "" if key is None else f"/{key}"
    effects = {s.get("Effect") for s in _statements(facts) if _is_about(s, action, arn)}
    return effects == {"Allow"}


def keys_named(facts: Facts) -> list[str]:
    """Returns a key for each resource that the policy's statements name."""
    start = f"{bucket_arn(facts.bucket, facts.region)}/"
    named = (word for s in _statements(facts) for word in _words(s.get("Resource")))
    return [re.sub("[*?]", "x", word.removeprefix(start)) for word in named]


def _statements(facts: Facts) -> list[Mapping[str, Any]]:
    given = (facts.policy or {}).get("Statement", ())
    listed = [given] if isinstance(given, Mapping) else given
    return [s for s in listed if isinstance(s, Mapping)]


def _is_about(statement: Mapping[str, Any], action: str, arn: str) -> bool:
    return (
        (is_anybody(statement.get("Principal")) or "NotPrincipal" in statement)
        and not statement.get("Condition")
        and _named_in(statement, "Action", action, str.lower)
        and _named_in(statement, "Resource", arn, str)
    )


def _named_in(
    statement: Mapping[str, Any], element: str, name: str, fold: Callable[[str], str]
) -> bool:
    """Returns whether an element, or its `Not…`, is about a name."""
    negated = f"Not{element}" in statement
    patterns = _words(statement.get(f"Not{element}" if negated else element))
    return negated != any(pattern(fold(text)).fullmatch(fold(name)) for text in patterns)


def _words(value: object) -> list[str]:
    listed = value if isinstance(value, list | tuple) else [value]
    return [word for word in listed if isinstance(word, str)]


def pattern(text: str) -> re.Pattern[str]:
    """Returns the regular expression for a text in which `*` and `?` are wild."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in text)
    return re.compile("".join(parts), re.DOTALL)
