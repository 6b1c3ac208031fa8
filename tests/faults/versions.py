"""An app whose files come in any number of versions, each half different from the one before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commands import Shop
from conftest import Bucket, write_files
from forks import Command, Done, Forks

CONFIG = {
    "FLASKS3_FINGERPRINT": True,
    "FLASKS3_ENCODINGS": [],
    "FLASKS3_CDN_DOMAIN": "cdn.example",  # so that no deploy looks whether anybody may read
}
_CYCLE = 4
"""Versions after which a half comes back as it was, so that pruned keys are wanted again."""


UNREWRITTEN = ("css/print.css", "js/cart.js", "img/1.svg", "img/2.svg", "terms.txt", "robots.txt")
"""Files that name no other, so that they are published as they are."""


def files(version: int) -> dict[str, str]:
    """The files of a version: the odd ones change with odd versions, the even ones with even."""
    odd, even = (version + 1) // 2 % _CYCLE, version // 2 % _CYCLE
    return {
        "css/site.css": f".a{{background:url(../img/1.svg)}} /* {even} */",
        "css/print.css": f".b{{color:#00{odd}}}",
        "js/shop.js": f'import "./cart.js"; const n = {odd};',
        "js/cart.js": f"export const n = {even};",
        "img/1.svg": f'<svg xmlns="http://www.w3.org/2000/svg" id="i{odd}"/>',
        "img/2.svg": f'<svg xmlns="http://www.w3.org/2000/svg" id="j{even}"/>',
        "img/3.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
        "terms.txt": "Always the same.",
        "robots.txt": f"Disallow: /{odd}",
        "help/index.html": f"<link rel=stylesheet href=../css/site.css><p>{even}",
        "help/faq.html": f"<script src=../js/shop.js></script><p>{odd}",
        "help/new.txt" if odd % 2 else "help/old.txt": f"only in some {even}",
    }


class Versioned:
    """A checkout of an app, to deploy any version of it from.

    Two of them are one app on two machines.
    """

    def __init__(
        self, forks: Forks, bucket: Bucket, root: Path, endpoint: str = "", **config: Any
    ) -> None:
        self._forks = forks
        self._bucket = bucket
        self._config = {**bucket.config, **CONFIG, **config}
        root.mkdir(parents=True)
        self._shop = Shop(root, {}, {})
        self.root = root
        self.through(endpoint or bucket.server.endpoint)

    def through(self, endpoint: str) -> None:
        """Reaches the bucket this way from now on."""
        self.configure(FLASKS3_ENDPOINT_URL=endpoint)

    def configure(self, **config: Any) -> None:
        self._config.update(config)
        self._shop.configure(self._config)

    def become(self, version: int | Mapping[str, str]) -> None:
        """Changes the files to those of a version."""
        wanted = files(version) if isinstance(version, int) else version
        for path in list(self._shop.static.rglob("*.*")):
            if str(path.relative_to(self._shop.static)) not in wanted:
                path.unlink()
        write_files(self._shop.static, wanted)

    def start(self, *arguments: str, lease: float | None = None) -> Command:
        return self._forks.start(self.root, *arguments, lease=lease)

    def run(self, *arguments: str, lease: float | None = None) -> Done:
        return self.start(*arguments, lease=lease).end()

    def deploy(self, version: int | Mapping[str, str]) -> None:
        """Deploys a version, which has to succeed."""
        self.become(version)
        done = self.run("deploy")
        assert done.code == 0, done.text

    def is_published(self, version: int) -> list[str]:
        """Returns the files of a version whose plain names have not its bytes."""
        return [
            name
            for name, text in files(version).items()
            if name in UNREWRITTEN and self._bucket.get(f"static/{name}")["Body"] != text.encode()
        ]
