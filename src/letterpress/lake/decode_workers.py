"""Processes that decode blocks, one each beside the one that reads and writes; results come in order.

`python -m letterpress.lake.decode_workers KEYS` is such a process: it answers on standard output until its
standard input ends, which it also does when its parent is killed.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from letterpress.errors import LetterpressError, StorageError
from letterpress.lake.decoding import DecodedBlock, decode_block
from letterpress.lake.log_file import Lines
from letterpress.lake.tenant_keys import TenantKeys

_PIPE_BYTES = 1 << 20
"""What a process may ask for without being root; of the usual 64 KiB a block would take a hundred turns."""
_OBJECTS_BETWEEN_LOOKS = 100_000
"""Events hold no cycles; looking for some as often as usual took a tenth of the time of decoding."""
Job = tuple[Lines, datetime]


class _Worker:
    def __init__(self, keys: Path) -> None:
        jobs, own_jobs = os.pipe()
        own_results, results = os.pipe()
        for pipe in (own_jobs, own_results):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "letterpress.lake.decode_workers", str(keys)], stdin=jobs, stdout=results
        )
        os.close(jobs)
        os.close(results)
        self._jobs = Connection(own_jobs, readable=False)
        self._results = Connection(own_results, writable=False)

    def send(self, job: Job) -> None:
        try:
            self._jobs.send(job)
        except BrokenPipeError:
            raise self._ended() from None

    def receive(self) -> DecodedBlock:
        try:
            # Unpickles, which is safe here: the pipe is anonymous, and at its other end is this very module
            # in a process that we started. Lines of a log travel as bytes and are decoded as JSON only.
            result: DecodedBlock | Exception = self._results.recv()
        except EOFError:
            raise self._ended() from None
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        self._jobs.close()
        self._results.close()
        self.process.wait()

    def _ended(self) -> StorageError:
        return StorageError(
            f"expected the process that decodes lines to answer, found that it ended with code "
            f"{self.process.wait()}; its memory may have been refused. Nothing was lost: run ingest again."
        )


class Decoders:
    """Decodes blocks in order: in `workers`, or here when there are none."""

    def __init__(self, workers: list[_Worker], keys: TenantKeys) -> None:
        self._workers, self._keys = workers, keys

    def decode(self, blocks: Iterable[tuple[int, Lines]], at: datetime) -> Iterator[tuple[int, DecodedBlock]]:
        """The decoded blocks with the number that came with each, in their order.

        Raises:
            StorageError: a worker ended, or a tenant's key cannot be read.
        """
        if not self._workers:
            for number, lines in blocks:
                yield number, decode_block(lines, at, self._keys)
            return
        busy: deque[tuple[int, _Worker]] = deque()
        for turn, (number, lines) in enumerate(blocks):
            if len(busy) == len(self._workers):
                done, worker = busy.popleft()
                result = worker.receive()
                worker.send((lines, at))
                busy.append((number, worker))
                yield done, result
            else:
                worker = self._workers[turn]
                worker.send((lines, at))
                busy.append((number, worker))
        for done, worker in busy:
            yield done, worker.receive()


@contextmanager
def start_decoders(n_workers: int, keys: Path) -> Iterator[Decoders]:
    """Decoders with `n_workers` processes, which end with the block; the tenants' keys lie in `keys`."""
    workers = [_Worker(keys) for _ in range(n_workers)]
    try:
        yield Decoders(workers, TenantKeys(keys))
    finally:
        for worker in workers:
            worker.close()


def serve(keys: TenantKeys) -> None:
    """Answer jobs until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption means
    jobs = Connection(os.dup(0), writable=False)
    results = Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # nothing else may end up among the results
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
    while True:
        try:
            lines, at = jobs.recv()
        except EOFError:
            return
        try:
            answer: DecodedBlock | Exception = decode_block(lines, at, keys)
        except (LetterpressError, OSError) as error:
            answer = error
        try:
            results.send(answer)
        except BrokenPipeError:
            return


if __name__ == "__main__":
    serve(TenantKeys(Path(sys.argv[1])))
