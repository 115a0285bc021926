"""A server of ours in a child process: one data directory, one log file, start, ready, stop, kill."""

import atexit
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from streams.embedded.errors import AlreadyStarted, NotReady
from streams.embedded.ports import require_free
from streams.guard import Guard

_POLL_S = 0.02


class EmbeddedServer(ABC):
    """The life cycle that Kafka and Valkey share. Not safe for use by several threads at once.

    `stop` and `kill` leave the data, so that `start` goes on with it, on the same port. `close` (or the
    end of a `with` block) stops and, unless the data is kept, removes the whole directory.

    All times in seconds.
    """

    name: ClassVar[str]

    def __init__(
        self, data_dir: Path | None, keep_data: bool | None, ready_timeout_s: float, stop_grace_s: float
    ) -> None:
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix=f"carrier-health-{self.name}-"))
        self.keep_data = data_dir is not None if keep_data is None else keep_data
        self.log_file = self.data_dir / f"{self.name}.log"
        self._ready_timeout_s = ready_timeout_s
        self._stop_grace_s = stop_grace_s
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        if not self.keep_data:
            atexit.register(self.close)

    @abstractmethod
    def _ports(self) -> Sequence[int]:
        """The ports that the server will bind."""

    @abstractmethod
    def _command(self, store: Path) -> Sequence[str]:
        """Prepares `store`, the directory of the server's data, and says what to run."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server answers a real request now; may take half a second."""

    @property
    def store(self) -> Path:
        """The server's own data, which `start(fresh=True)` drops; the log stays."""
        return self.data_dir / "store"

    @property
    def pid(self) -> int | None:
        """Process id of the server, None if it does not run."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, fresh: bool = False) -> Self:
        """Starts the server and waits until it answers; `fresh` drops the data of earlier starts.

        Raises AlreadyStarted, PortInUse, NotReady, PartMissing, and for Kafka DownloadFailed.
        """
        if self.running:
            raise AlreadyStarted(self.name)
        self._reap()  # it may have died by itself since the last start
        for port in self._ports():
            require_free(self.name, port)
        if fresh:
            shutil.rmtree(self.store, ignore_errors=True)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._launch(self._command(self.store))
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        """Asks the server to end (SIGTERM), and kills it if it has not ended within the grace."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(self._stop_grace_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def kill(self) -> None:
        """SIGKILL, as a crash would: returns when the process is gone. Its data stays."""
        if self._process is not None:
            self._process.kill()
        self._reap()

    def close(self) -> None:
        """Stops the server and, unless the data is kept, removes its directory."""
        self.stop()
        atexit.unregister(self.close)
        if not self.keep_data:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _launch(self, command: Sequence[str]) -> None:
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle: the server is stopped in order
            )
        self._guard = Guard(self._process.pid)
        atexit.register(self.close)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._ready_timeout_s
        while not self._answers():
            if not self.running:
                self._give_up(f"ended with exit code {self._exit_code()} before it was ready")
            if time.monotonic() > deadline:
                self._give_up(f"did not become ready within {self._ready_timeout_s:g} s")
            time.sleep(_POLL_S)

    def _exit_code(self) -> int | None:
        return self._process.returncode if self._process else None

    def _give_up(self, what: str) -> None:
        self.kill()
        raise NotReady(self.name, what, self.log_file)

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._guard is not None:
            self._guard.release()
            self._guard = None
