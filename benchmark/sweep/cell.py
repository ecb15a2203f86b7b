"""A cell of a sweep: a process that starts or resumes its run, on any backend."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import Timeout

from ..display import Display

if TYPE_CHECKING:
    from ..training.programs import Worker

HELD = 75  # exit code: another process is working on the cell
STOPPED = 130  # exit code: interrupted, with its state saved
PATIENCE = 60.0  # seconds to wait for a process that may be saving its state


class Needs(NamedTuple):
    """The resources of a cell."""

    cpus: int = 1
    gpus: float = 0.0
    memory: int = 0  # bytes; 0: unlimited


class Stopped(Exception):
    """A cell was interrupted; it has neither finished nor failed."""


def launch(
    folder: Path,
    name: str,
    needs: Needs,
    stop: threading.Event | None = None,
    extra: dict[str, str] | None = None,
) -> str:
    """Work on a cell until it is done (""), or return why it failed; the reason is also stored in the sweep's folder.

    `name`: of a cell, or of several, separated by spaces, that share a process. `extra`: additional environment
    variables. The work is done in a child whose standard input is a pipe from this process. If this process dies for
    any reason, the pipe closes and the child saves its state and stops. Raises Stopped if it was interrupted, or if
    another process is working on the cell.
    """
    from . import grid

    first, *more = name.split()
    log = folder / "logs" / f"{first}{f'+{len(more)}' if more else ''}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", __spec__.name, str(folder.resolve()), name]
    failed = len(grid.failures(folder, name))
    with log.open("ab") as said:
        before = said.tell()
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            env={**os.environ, **environment(needs), **(extra or {})},
            start_new_session=True,  # Ctrl-C reaches only this process, which then closes the pipe
        )
        try:
            while (code := _wait(child, 0.5)) is None:
                if stop is not None and stop.is_set():
                    assert child.stdin is not None
                    child.stdin.close()
                    stop = None
        except BaseException:
            child.terminate()
            child.wait()
            raise
        finally:
            assert child.stdin is not None
            child.stdin.close()
    if code == 0:
        return ""
    if code in (HELD, STOPPED, -signal.SIGTERM, -signal.SIGINT):  # signals, if the child had no handler yet
        raise Stopped(name)
    reason = _reason(code, log.read_bytes()[before:])
    if len(grid.failures(folder, name)) == failed:  # otherwise the child has recorded which cells failed
        grid.fail(folder, name, reason)
    return reason


def _wait(child: subprocess.Popen, seconds: float) -> int | None:
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _reason(code: int, said: bytes) -> str:
    """Return the last line of a process's output, or what ended it."""
    if code < 0:
        return f"killed by signal {-code}" + (" (out of memory?)" if code == -9 else "")
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("reincarnate: ")[:500] if lines else f"ended with exit code {code}"


def environment(needs: Needs) -> dict[str, str]:
    """Return the environment of a cell's process, with as many threads as it has cores."""
    flags = os.environ.get("XLA_FLAGS", "")
    threads = str(needs.cpus)
    pins = {"NPROC": threads, "OMP_NUM_THREADS": threads}  # NPROC sets XLA's own pool
    if needs.cpus == 1:
        pins["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    if not needs.gpus:
        pins["JAX_PLATFORMS"] = "cpu"
    return pins


def work(folder: Path, name: str, show: Display, worker: "Worker | None" = None) -> None:
    """Start or resume a cell's run; ValueError says what is wrong. `worker`: for cells that train together.

    Only one process at a time can, also on a shared file system. A run that has ended may still lack its record. One
    that can neither be finished nor resumed, because its files were damaged, is set aside and made again.
    """
    from ...leaderboard import ledger
    from ...leaderboard import record as records
    from ..runs.run import resume, run
    from ..runs.run_folder import NoCheckpoint
    from . import damage, grid

    asked = grid.load(folder)
    cell = next((cell for cell in grid.cells(asked) if cell.name == name), None)
    if cell is None:
        raise ValueError(f"the sweep in {folder} has no cell {name}")
    out, shared = folder / "cells" / name, folder / "played"
    with grid.lock(folder, name).acquire(timeout=PATIENCE):
        if (out / "ledger.jsonl").exists():
            try:
                if not grid.has_ledger(out):
                    raise NoCheckpoint(f"the ledger of {out} cannot be read")
                if not grid.ended(out):
                    resume(out, show, worker, shared)
                    return
                if damage.has_students(out):
                    records.save(records.of_ledger(ledger.read(out / "ledger.jsonl")), out / "record.json")
                    shutil.rmtree(out / "checkpoints", ignore_errors=True)
                    return
            except NoCheckpoint as error:
                show.note(str(error))
            show.note(f"its files are damaged: it is made again, and they are kept in {damage.aside(folder, name)}")
        threads = asked.options.get("threads") or int(os.environ.get("NPROC", 1))
        run(replace(grid.request(asked, cell), threads=threads), out=out, display=show, worker=worker, shared=shared)


def work_together(folder: Path, names: Sequence[str]) -> int:
    """Work on cells that differ only in their seed, each with its own log; return their common exit code."""
    from . import grid
    from .together import together

    def of(name: str):
        def go(worker) -> None:
            with (folder / "logs" / f"{name}.log").open("a", buffering=1) as said, Display(file=said) as show:
                work(folder, name, show, worker)

        return go

    codes = set()
    for name, fault in zip(names, together([of(name) for name in names]), strict=True):
        code, sentence = _ended(fault)
        if code not in (0, HELD, STOPPED):
            print(f"{name}: {sentence}", file=sys.stderr)
            grid.fail(folder, name, _reason(code, sentence.encode()))
        codes.add(code)
    return next((code for code in (STOPPED, HELD) if code in codes), max(codes))


def _ended(fault: BaseException | None) -> tuple[int, str]:
    """Return the exit code for the end of a cell, and its message."""
    if fault is None:
        return 0, ""
    if isinstance(fault, Timeout):
        return HELD, "another process works on this cell"
    if isinstance(fault, KeyboardInterrupt):
        return STOPPED, ""
    if isinstance(fault, ValueError | OSError):
        return 2, f"reincarnate: {' '.join(str(fault).split())}"
    return 1, "".join(traceback.format_exception(fault))


def _heed_the_parent() -> None:
    """Stop this process like Ctrl-C when its parent is gone or closes the pipe."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(PATIENCE)  # a longer update hangs
        os._exit(STOPPED)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """python -m reincarnate.benchmark.sweep.cell FOLDER NAMES"""
    _heed_the_parent()
    folder, names = Path(sys.argv[1]), sys.argv[2].split()
    if len(names) > 1:
        sys.exit(work_together(folder, names))
    try:
        with Display() as show:
            work(folder, names[0], show)
    except BaseException as fault:
        code, sentence = _ended(fault)
        print(sentence, file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
