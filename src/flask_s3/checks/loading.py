"""Why an app does not load, in a sentence without a traceback."""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path
from types import TracebackType

from ..errors import SettingsError
from ..findings import Finding, Verdict
from ..redaction import without_passwords

LOADED = Finding("app", Verdict.OK, "The app loads.")
NEVER_SET_UP = Finding(
    "extension",
    Verdict.WARNING,
    "FlaskS3 was never set up on the app.",
    "Its url_for is Flask's own, so pages do not use the bucket.",
    "FlaskS3(app)  # from flask_s3 import FlaskS3",
)
_NOT_THE_APPS = (
    *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(__file__).parents[1]) + os.sep,
)


def not_loaded(error: BaseException) -> Finding:
    """Returns the error that an app which does not load is.

    Args:
        error: what importing it, or its factory, raised; or what Flask says of it.
    """
    cause = error
    if isinstance(error.__context__, ImportError) and "Traceback" in str(error):
        cause = error.__context__  # Flask put the whole traceback into its message
    place = _place(cause)
    text = without_passwords(" ".join(str(cause).split()))
    name = type(cause).__name__
    said = text.rstrip(".") if name == "NoAppException" else f"{name}: {text}".rstrip(": .")
    return Finding(
        "app",
        Verdict.ERROR,
        f"The app does not load: {said}{place and f' ({place})'}.",
        "Nothing that depends on the app could be checked: what follows is by the environment.",
        _fix(cause, place),
    )


def _fix(error: BaseException, place: str) -> str:
    """Returns what is to be corrected: a setting where one is to blame, else the app's code."""
    setting = re.search("FLASKS3_[A-Z0-9_]+", str(error))
    if isinstance(error, SettingsError) and setting is not None:
        return f"Correct {setting[0]}."
    return f"Correct {place}." if place else "flask --app MODULE s3 doctor"


def _place(error: BaseException) -> str:
    """Returns `file:line` of the app's own code; empty where none is to blame."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_relative(error.filename)}:{error.lineno}"
    places = list(_places(error.__traceback__))
    own = [place for place in places if not place[0].startswith(_NOT_THE_APPS)]
    return f"{_relative(own[-1][0])}:{own[-1][1]}" if own else ""


def _places(traceback: TracebackType | None) -> list[tuple[str, int]]:
    places = []
    while traceback is not None:
        places.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    return [place for place in places if not place[0].startswith("<")]


def _relative(path: str) -> str:
    inside = path.startswith(os.getcwd() + os.sep)  # noqa: PTH109  (paths are text here)
    return os.path.relpath(path) if inside else path
