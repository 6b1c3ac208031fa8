"""What the tests of ``flask s3 verify`` publish, and how they read what it found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from conftest import Bucket
from flask import Flask
from steps import Site, site

STYLE = "a{color:red}" * 50
FILES = {
    "a.css": STYLE,
    "data.json": "{}",
    "empty.txt": "",
    "f.woff2": b"wOF2",
    "film.mp4": b"0" * 1000,
    "index.html": "<p>",
    "m.js": "import './n.js'",
    "n.js": "export default 1;" * 50,
    "old.js": "var a = 1;",
    "späte grüße+.png": b"png",
}


def published(make_app: Callable[..., Flask], bucket: Bucket, *origins: str, **config: Any) -> Site:
    """An app whose release is in force in a bucket that is set up right."""
    bucket.open_to_anybody("static/*")
    allow(bucket, *origins)
    mine = site(make_app(FILES), bucket, FLASKS3_INTEGRITY=False, **config)
    mine.deploy()
    return mine


def allow(bucket: Bucket, *origins: str) -> None:
    """Gives the bucket its CORS rule, for pages of any origin or of some."""
    rule = {
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedOrigins": list(origins or ("*",)),
        "AllowedHeaders": ["*"],
    }
    bucket.client.put_bucket_cors(Bucket=bucket.name, CORSConfiguration={"CORSRules": [rule]})


def found(mine: Site, *options: str, **config: Any) -> list[tuple[str, str, str]]:
    """What verify has to say: check, verdict and sentence of all that is not right."""
    mine.app.config.update(config)
    return [(one["check"], one["verdict"], one["what"]) for one in told(mine, *options)]


def told(mine: Site, *options: str) -> list[dict[str, str]]:
    """All that verify has to say of what is not right; its exit code goes by the worst of it."""
    ended = mine.app.test_cli_runner().invoke(_s3(), ["verify", "--json", *options])
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    import json

    output = json.loads(ended.stdout)
    verdicts = [one["verdict"] for one in output["findings"]]
    worst = max(verdicts, key=["ok", "warning", "error"].index)
    assert (output["verdict"], ended.exit_code) == (worst, int(worst == "error")), ended.output
    return [one for one in output["findings"] if one["verdict"] != "ok"]


def _s3() -> Any:
    from flask_s3.cli.commands import s3

    return s3


def name(mine: Site, path: str, codec: str = "") -> str:
    """The key of a file under fingerprints, or of its variant."""
    entry = mine.record(mine.in_force())["manifest"]["entries"][f"static/{path}"]
    published = entry[2][codec][0] if codec else entry[0]
    return f"static/{published}"
