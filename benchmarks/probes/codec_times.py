"""The codecs alone: compresses what a built tree's variants hold, with a thread for each core.

    python -m probes.codec_times TREE THREADS FILE

``TREE`` is what ``flask s3 build -o TREE`` wrote. One line of JSON is added to ``FILE``: the
seconds of CPU that the codecs took, and of wall time. The bytes are read and decoded before.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import brotli

GZIP_WRAPPER = 31

Job = tuple[bytes, Callable[[bytes], bytes]]


def br(data: bytes) -> bytes:
    """Brotli's best."""
    return bytes(brotli.compress(data, quality=11))


def gzip(data: bytes) -> bytes:
    """Zlib's best."""
    codec = zlib.compressobj(9, zlib.DEFLATED, GZIP_WRAPPER)
    return codec.compress(data) + codec.flush()


def ungzip(data: bytes) -> bytes:
    """The reverse."""
    return zlib.decompress(data, GZIP_WRAPPER)


def jobs(tree: Path) -> Iterator[Job]:
    """Each variant's decoded bytes, and the codec that made it: ``a.<digest>.br.css``."""
    for marker, codec, decode in ((".br.", br, brotli.decompress), (".gzip.", gzip, ungzip)):
        for path in tree.rglob(f"*{marker}*"):
            yield decode(path.read_bytes()), codec


def main(tree: Path, threads: int, file: Path) -> None:
    """Compress everything, the largest first, and write what it took."""
    planned = sorted(jobs(tree), key=lambda job: -len(job[0]))
    cpu, wall = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        count = sum(1 for _ in pool.map(lambda job: job[1](job[0]), planned))
    took = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "variants": count}
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(took) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
