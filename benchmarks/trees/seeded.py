"""Deterministic folders to publish: the same names and bytes on every machine and each run."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

SEED = 20
SMALLEST, LARGEST = 2_000, 8_000
BLOCK = 4 * 1024 * 1024
WORDS = ("banner", "button", "card", "footer", "grid", "header", "item", "menu", "panel", "row")


def many_small(folder: Path, count: int = 4000) -> Path:
    """``folder`` with ``count`` valid, nested files of 2 to 8 kB: CSS, JavaScript, SVG, PNG."""
    source = random.Random(SEED)
    makers = tuple(MAKERS.values())
    for number, path in enumerate(small_files(folder, count)):
        make = makers[number % len(makers)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(source, source.randint(SMALLEST, LARGEST - 100)))
    return folder


def small_files(folder: Path, count: int) -> tuple[Path, ...]:
    """Where :func:`many_small` writes, in its order."""
    extensions = tuple(MAKERS)
    return tuple(
        folder / small_name(number, extensions[number % len(extensions)]) for number in range(count)
    )


def one_more_line(path: Path) -> None:
    """Other bytes; still valid in every kind of file of :func:`many_small`."""
    with path.open("ab") as file:
        file.write(b"\n")


def small_name(number: int, extension: str) -> str:
    """A path up to three folders deep; fifty files to a folder."""
    group = number // 50
    folders = ("assets", f"area-{group % 9}", f"part-{group:03}")[: 1 + group % 3]
    return "/".join((*folders, f"file-{number:05}.{extension}"))


def many_tiny(folder: Path, count: int, size: int = 1000) -> Path:
    """``folder`` with ``count`` scripts of ``size`` bytes, a hundred to a folder."""
    for number in range(count):
        place = folder / f"part-{number // 10_000:03}" / f"{number // 100 % 100:02}"
        if number % 100 == 0:
            place.mkdir(parents=True, exist_ok=True)
        # What tells one file from another stands at its end.
        text = f"{'//':-<{size - 32}}\nregister({number:020});\n"
        place.joinpath(f"file-{number:07}.js").write_text(text, encoding="ascii")
    return folder


def few_large(folder: Path, count: int, size: int) -> Path:
    """``folder`` with files of ``size`` bytes that neither compress nor are sparse."""
    folder.mkdir(parents=True, exist_ok=True)
    for film in range(count):
        block = random.Random(SEED + film).randbytes(BLOCK - 8)
        with (folder / f"film-{film}.mp4").open("wb") as file:
            for number in range(0, size, BLOCK):
                file.write((struct.pack(">Q", number) + block)[: size - number])
    return folder


def css(source: random.Random, size: int) -> bytes:
    """A style sheet."""
    return filled(source, size, css_rule)


def javascript(source: random.Random, size: int) -> bytes:
    """A script."""
    return filled(source, size, javascript_line)


def svg(source: random.Random, size: int) -> bytes:
    """A drawing."""
    head, tail = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 999 999">\n', b"</svg>\n"
    return head + filled(source, size - len(head) - len(tail), svg_line) + tail


def png(source: random.Random, size: int) -> bytes:
    """A grey picture of noise, one row of pixels, stored without compression."""
    width = size - 70  # signature, IHDR, IEND, the frames around IDAT
    pixels = zlib.compress(b"\0" + source.randbytes(width), level=0)
    head = struct.pack(">IIBBBBB", width, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(kind, data) for kind, data in chunks)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk: length, kind, data, CRC (PNG specification § 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def filled(source: random.Random, size: int, line: Callable[[random.Random], str]) -> bytes:
    """Lines until ``size`` bytes are reached."""
    lines: list[bytes] = []
    length = 0
    while length < size:
        lines.append(line(source).encode())
        length += len(lines[-1])
    return b"".join(lines)


def css_rule(source: random.Random) -> str:
    """One rule, and a class name as in a real build."""
    name, color = source.choice(WORDS), source.getrandbits(24)
    return (
        f".{name}-{source.getrandbits(32):x} {{ color: #{color:06x}; padding: {color % 97}px }}\n"
    )


def javascript_line(source: random.Random) -> str:
    """One statement."""
    name, number = source.choice(WORDS), source.getrandbits(48)
    return f'register("{name}-{number:x}", (event) => event.{name} + {number % 9973});\n'


def svg_line(source: random.Random) -> str:
    """One path."""
    x, y = source.randint(0, 999), source.randint(0, 999)
    return f'<path fill="#{source.getrandbits(24):06x}" d="M{x} {y}h{y % 97}v{x % 89}z"/>\n'


MAKERS: dict[str, Callable[[random.Random, int], bytes]] = {
    "css": css,
    "js": javascript,
    "svg": svg,
    "png": png,
}
