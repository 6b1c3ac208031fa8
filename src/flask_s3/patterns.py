"""Patterns of files, written as in `.gitignore`."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from .errors import SettingsError


def matcher(key: str, patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Returns a predicate on POSIX paths relative to a static folder.

    The patterns follow gitignore(5): the last one that matches decides, `!` takes back.

    Args:
        key: the setting's name, for the message.
        patterns: one line each.

    Raises:
        SettingsError: a line is not a pattern.
    """
    if not patterns:
        return _nothing
    import pathspec  # noqa: PLC0415  (most apps have no patterns, and it costs 30 ms)

    try:
        spec = pathspec.GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise SettingsError(
            f"{key} holds a line that is no gitignore pattern ({error}): correct it."
        ) from None
    return lru_cache(maxsize=8192)(spec.match_file)


def _nothing(_filename: str) -> bool:
    return False
