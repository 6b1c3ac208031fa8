"""nginx as a CDN: a caching proxy on loopback, in front of a bucket, set up as a test wants it."""

from __future__ import annotations

import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import Bucket
from servers import HOST, _free_ports, _workspace

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

BY_ORIGIN = "proxy_cache_key $uri$is_args$args$http_origin;"
"""Keeps what pages asked for with CORS apart from the rest, as a CDN in order does."""

_CONFIG = """
daemon off;
master_process off;  # one process, with our own rights
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  proxy_temp_path {folder}/proxy;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  proxy_cache_path {folder}/cache keys_zone=cdn:1m use_temp_path=off;
  {http}
  server {{
    listen {host}:{port};
    location /ready {{ return 204; }}
    {server}
    location / {{
      proxy_pass {store}/{bucket}/;
      proxy_cache cdn;
      {location}
    }}
  }}
  server {{
    listen {host}:{tls_port}{tls};
    location / {{
      proxy_pass http://{host}:{port};
    }}
  }}
}}
"""


class Cdn:
    """Where nginx listens."""

    def __init__(self, port: int, tls_port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self.tls = f"https://localhost:{tls_port}"

    def get(self, path: str) -> bytes:
        """Asks for something, as a visitor who came before."""
        with _http.open(self.url + path) as answer:
            return answer.read()


@contextmanager
def nginx(
    bucket: Bucket,
    location: str = BY_ORIGIN,
    *,
    server: str = "",
    http: str = "",
    certificate: Path | None = None,
) -> Iterator[Cdn]:
    """Runs nginx in front of a bucket.

    Args:
        bucket: whose keys are the paths.
        location: what is set for all that comes from the bucket.
        server: further locations, or what is set for all.
        http: what is set outside of it.
        certificate: a PEM file with key and certificates; without it there is no TLS.
    """
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "apt-get install --no-install-recommends nginx"
    tls = f" ssl; ssl_certificate {certificate}; ssl_certificate_key {certificate}"
    with _free_ports(2) as (port, tls_port), _workspace() as (folder, daemons):
        config = folder / "nginx.conf"
        config.write_text(
            _CONFIG.format(
                folder=folder,
                host=HOST,
                port=port,
                tls_port=tls_port,
                store=bucket.server.endpoint,
                bucket=bucket.name,
                location=location,
                server=server,
                http=http,
                tls=tls if certificate else "",
            )
        )
        cdn = Cdn(port, tls_port)
        daemon = daemons.start([program, "-c", str(config), "-p", str(folder)])
        daemon.wait(lambda: cdn.get("/ready") == b"", seconds=20)
        yield cdn
