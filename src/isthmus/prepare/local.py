"""The local engine: tasks computed in this process, or by worker processes that start light and die with it."""

from __future__ import annotations

import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from isthmus.core.errors import Bug, WontFit
from isthmus.prepare.compute import BadText, compute
from isthmus.prepare.parts import Receipt, Task
from isthmus.prepare.worker import receipt_of

THREADS = 8  # for small files

OnReceipt = Callable[[Receipt], None]
OnBadText = Callable[[BadText], None]


def run_here(tasks: Sequence[Task], on_receipt: OnReceipt, on_bad_text: OnBadText) -> None:
    """Compute `tasks` in this process, one after the other."""
    for task in tasks:
        try:
            for receipt in compute(task):
                on_receipt(receipt)
        except BadText as error:
            on_bad_text(error)


def run_small(tasks: Sequence[Task], threads: int, on_receipt: OnReceipt, on_bad_text: OnBadText) -> None:
    """Compute small `tasks` in `threads` of this process: they wait for the disk more than they compute."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        futures = [pool.submit(_compute_whole, task) for task in tasks]
        try:
            for future in futures:
                try:
                    for receipt in future.result():
                        on_receipt(receipt)
                except BadText as error:
                    on_bad_text(error)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _compute_whole(task: Task) -> list[Receipt]:
    return list(compute(task))


def run_in_workers(tasks: Sequence[Task], workers: int, on_receipt: OnReceipt, on_bad_text: OnBadText) -> None:
    """Compute `tasks` in `workers` processes; callbacks are called here, in the order of what is finished.

    Whatever ends this call ends the workers, too. Raises what a worker met; WontFit where one was killed.
    """
    waiting = list(reversed(tasks))
    with selectors.DefaultSelector() as selector:
        crew: list[_Worker] = []
        try:
            for _ in range(min(workers, len(tasks))):
                crew.append(worker := _Worker())
                selector.register(worker.answers, selectors.EVENT_READ, worker)
                worker.give(waiting.pop())
            while any(worker.busy for worker in crew):
                for key, _ in selector.select():
                    _hear(key.data, waiting, on_receipt, on_bad_text)
        finally:
            for worker in crew:
                worker.end()


def _hear(worker: _Worker, waiting: list[Task], on_receipt: OnReceipt, on_bad_text: OnBadText) -> None:
    for message in worker.messages():
        try:
            receipt = receipt_of(message)
            if receipt is not None:
                on_receipt(receipt)
                continue
        except BadText as error:
            on_bad_text(error)
        worker.busy = False
        if waiting:
            worker.give(waiting.pop())


class _Worker:
    """One process of `prepare.worker`."""

    def __init__(self) -> None:
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        home = str(Path(__file__).parents[2])
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "isthmus.prepare.worker", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
            },
        )
        self._tail = b""
        self.busy = False

    @property
    def answers(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - it was opened as a pipe
        return self._process.stdout

    def give(self, task: Task) -> None:
        self.busy = True
        with suppress(BrokenPipeError):  # it died: its answers end, and `messages` says why
            os.write(self._process.stdin.fileno(), json.dumps(dataclasses.asdict(task)).encode() + b"\n")  # type: ignore[union-attr]

    def messages(self) -> list[dict[str, Any]]:
        """What it said since the last call. Raises WontFit or Bug where it died."""
        got = os.read(self.answers.fileno(), 1 << 16)
        if not got:
            raise self._death()
        *lines, self._tail = (self._tail + got).split(b"\n")
        return [json.loads(line) for line in lines]

    def _death(self) -> Exception:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return WontFit(
                "a worker process was killed (signal 9), most likely because memory ran out; nothing was committed: "
                "use fewer --threads, then run the same command again: what is finished is kept"
            )
        self._said.seek(0)
        said = self._said.read()[-2000:].decode(errors="replace")
        return Bug(f"a worker process ended with code {code}; its last words: {said}")

    def end(self) -> None:
        """Kill it: all it writes becomes visible by rename, so nothing half-done remains."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
