"""What the settings alone tell, of an app or of an environment: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import SettingsError
from ..findings import Finding, Verdict
from ..patterns import matcher
from ..settings import BUCKET, FIELDS, NAME_RULE, Settings, can_be_new, flag, unknown
from ..urls import base
from .diagnosis import refused

# Off by these words; in 0.3 a text was on, whatever it said, unless it was empty.
_OFF_NOW = frozenset({"0", "false", "no", "off"})
_SWITCHES = tuple(
    f"FLASKS3_{name}"
    for name in (
        "ACTIVE",
        "DEBUG",
        "OVERRIDE_TESTING",
        "USE_HTTPS",
        "USE_CACHE_CONTROL",
        "ONLY_MODIFIED",
        "GZIP",
    )
)
# A setting, what has to be on as well, and what happens otherwise.
_TOGETHER = (
    ("cache_control", "use_cache_control", "no file gets that header"),
    ("use_cache_control", "cache_control", "no file gets the header"),
    ("gzip_only_exts", "gzip", "nothing is gzipped"),
    ("cloudfront_distribution", "cdn_domain", "pages ask the bucket itself"),
    ("cloudflare_zone", "cdn_domain", "pages ask the bucket itself"),
)


@dataclass(frozen=True, slots=True)
class Switches:
    """What switches the bucket's URLs off, as the app has it.

    Attributes:
        debug: `app.debug`.
        testing: `TESTING`.
        active: `FLASKS3_ACTIVE`, which `init_app` sets to False in debug mode.
    """

    debug: bool
    testing: bool
    active: bool


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the settings that stand in an environment under their own names, and are text."""
    text = {f.metadata["key"] for f in FIELDS if isinstance(f.metadata["default"], str | None)}
    return {key: v for key, v in environ.items() if key in text and key.startswith("FLASKS3_")}


def wrong_settings(config: Mapping[str, Any]) -> list[Finding]:
    """Returns an error for each setting that cannot work by itself."""
    found = []
    for field in FIELDS:
        key, default = field.metadata["key"], field.metadata["default"]
        try:
            field.metadata["kind"](key, config.get(key, default))
        except SettingsError as error:
            found.append(wrong(error))
    return found


def wrong(error: SettingsError) -> Finding:
    """Returns the error that a refused setting is."""
    why = "No command works with it, and where URLs need it, no page does."
    return refused("settings", error, why)


def unknown_settings(config: Mapping[str, Any]) -> list[Finding]:
    """Returns a warning for each setting that is likely misspelt."""
    return [_unknown(key, likely) for key, likely in unknown(config).items()]


def _unknown(key: str, likely: str | None) -> Finding:
    fix = f"Write {likely}" if likely else "Take it out, or see docs/settings.md for its name"
    return Finding(
        "settings",
        Verdict.WARNING,
        f"{key} is none of our settings.",
        "It has no effect.",
        f"{fix}.",
    )


def settings(config: Mapping[str, Any], given: Settings) -> list[Finding]:
    """Returns how settings that can be used fit each other; ok where nothing is wrong."""
    found = [*unknown_settings(config), *_alone(given)]
    fine = Finding("settings", Verdict.OK, "The settings can be used.")
    return found or [fine]


def _alone(given: Settings) -> Iterator[Finding]:
    keys = {field.name: field.metadata["key"] for field in FIELDS}
    for name, other, effect in _TOGETHER:
        if getattr(given, name) and not getattr(given, other):
            yield Finding(
                "settings",
                Verdict.WARNING,
                f"{keys[name]} is set, but {keys[other]} is not.",
                f"Then {effect}.",
                f"Set {keys[other]}, or take {keys[name]} out.",
            )
    if given.release is not None and given.manifest != BUCKET:
        yield Finding(
            "settings",
            Verdict.WARNING,
            "FLASKS3_RELEASE is set, but FLASKS3_MANIFEST is not 'bucket'.",
            "Then pages name the files of the manifest at hand, whatever release that is.",
            "Set FLASKS3_MANIFEST to 'bucket', or take FLASKS3_RELEASE out.",
        )
    if given.bucket_name is not None and not can_be_new(given.bucket_name):
        yield Finding(
            "settings",
            Verdict.WARNING,
            f"FLASKS3_BUCKET_NAME is {given.bucket_name!r}, a name that no new bucket can have.",
            f"AWS takes {NAME_RULE}.",
            "Choose another FLASKS3_BUCKET_NAME, unless the bucket is there.",
        )


def left_out(given: Settings, names: Sequence[str]) -> list[Finding]:
    """Returns a warning where `FLASKS3_IGNORE` leaves nothing of an app's files.

    Args:
        given: the settings, whose patterns can be understood.
        names: of the files, relative to their static folder.
    """
    is_ignored = matcher("FLASKS3_IGNORE", given.ignore)
    if not names or not all(map(is_ignored, names)):
        return []
    return [
        Finding(
            "settings",
            Verdict.WARNING,
            "FLASKS3_IGNORE leaves every file out.",
            "Then nothing is published, and pages ask the app itself for every file.",
            "Correct the patterns in FLASKS3_IGNORE.",
        )
    ]


def wrong_patterns(given: Settings) -> list[Finding]:
    """Returns an error for each setting whose patterns cannot be understood."""
    found = []
    for key, patterns in (
        ("FLASKS3_IGNORE", given.ignore),
        ("FLASKS3_LOCAL", given.local),
        ("FLASKS3_FINGERPRINT_EXCLUDE", given.fingerprint_exclude),
    ):
        try:
            matcher(key, patterns)
        except SettingsError as error:
            found.append(wrong(error))
    return found


def from_0_3(config: Mapping[str, Any], given: Settings, folders: Sequence[str]) -> list[Finding]:
    """Returns the settings that meant something else to Flask-S3 0.3; ok where none does.

    Args:
        config: the app's.
        given: the same, read.
        folders: the static folders, by their absolute paths.
    """
    found = [_off_now(key, str(config[key])) for key in _SWITCHES if _is_off_now(config.get(key))]
    if config.get("FLASKS3_FORCE_MIMETYPE"):
        found.append(
            Finding(
                "0.3 settings",
                Verdict.WARNING,
                "FLASKS3_FORCE_MIMETYPE has no effect any more.",
                "Every file gets its content type, by a table of our own.",
                "Take FLASKS3_FORCE_MIMETYPE out; another type for some files is set in "
                "FLASKS3_FILEPATH_HEADERS.",
            )
        )
    for pattern, _ in given.filepath_headers:
        if any(pattern.search(f"{folder}/") for folder in folders):
            found.append(_of_the_whole_path(pattern.pattern))
    fine = Finding("0.3 settings", Verdict.OK, "Every setting means what it meant to 0.3.")
    return found or [fine]


def _of_the_whole_path(pattern: str) -> Finding:
    return Finding(
        "0.3 settings",
        Verdict.WARNING,
        f"FLASKS3_FILEPATH_HEADERS {pattern!r} is found in the static folder's own path.",
        "As in 0.3 every file gets its headers then, on this machine; that is deprecated.",
        r"Write it for the path relative to the static folder, such as r'^css/' or r'\.css$'.",
    )


def _is_off_now(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in _OFF_NOW


def is_on(value: object) -> bool:
    """Returns whether a switch that can be read is on."""
    return flag("FLASKS3_ACTIVE", value)


def _off_now(key: str, value: str) -> Finding:
    return Finding(
        "0.3 settings",
        Verdict.WARNING,
        f"{key} is the text {value!r}, which is off; to 0.3 any text was on.",
        "What 0.3 did because of it is not done any more.",
        f'app.config["{key}"] = False, or True for what 0.3 did',
    )


def switched_on(given: Settings, switches: Switches) -> Finding:
    """Returns whether `url_for` gives the bucket's URLs, and what keeps it from that."""
    off = _what_switches_off(given, switches)
    if off is None:
        return Finding("switched on", Verdict.OK, "url_for gives the bucket's URLs.")
    what, fix = off
    why = "Pages ask the app itself for every static file, here and now."
    return Finding("switched on", Verdict.WARNING, what, why, fix)


def _what_switches_off(given: Settings, switches: Switches) -> tuple[str, str] | None:
    if switches.debug and not given.debug:
        return (
            "The app is in debug mode, which switches the bucket's URLs off.",
            'Run it without --debug; or app.config["FLASKS3_DEBUG"] = True',
        )
    if not switches.active:
        return "FLASKS3_ACTIVE is False.", 'app.config["FLASKS3_ACTIVE"] = True'
    if switches.testing and not given.override_testing:
        return (
            "TESTING is on and FLASKS3_OVERRIDE_TESTING is off.",
            'app.config["TESTING"] = False, or app.config["FLASKS3_OVERRIDE_TESTING"] = True',
        )
    return None


def dotted_name(given: Settings) -> Finding:
    """Returns whether browsers accept the certificate of the host that URLs name."""
    bucket, found = given.require_bucket(), base(given)
    if "." not in bucket or not f"{found.scheme}://{found.place}".startswith(f"https://{bucket}."):
        return Finding("dotted name", Verdict.OK, "The bucket's name suits the URLs' host.")
    host = found.origin.removeprefix("https://")
    return Finding(
        "dotted name",
        Verdict.ERROR,
        f"URLs name the host {host}, and the bucket's name has a dot.",
        "A wildcard certificate stands for one label only (RFC 6125 § 6.4.3), so browsers refuse "
        "the connection.",
        'app.config["FLASKS3_URL_STYLE"] = "path"',
    )
