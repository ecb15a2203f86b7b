"""Judge untrusted requests in a child process with limits on memory, time and files; its death is a verdict."""

import contextlib
import json
import os
import queue as queues
import subprocess
import sys
import tempfile
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from ...datasets.hub import hub as hubs
from ...datasets.hub.pull_requests import DatasetRepository, Request
from ...datasets.hub.reference import Ref
from ...leaderboard.results import Results, read
from ...leaderboard.submission import Verdict

MEMORY = 12 * 2**30  # bytes that the child may write to; a compiler and a large student need a third
LARGEST = 2 * 2**30  # maximum bytes of a file that it writes
JOBS = 32  # jobs after which the child is replaced
SLOW = 60.0  # seconds that it may take to start on a busy machine
VERDICTS = TypeAdapter(list[Verdict])


class Died(ValueError):
    """The judging process died, by itself or because of a limit."""


class Apart:
    """A child that judges one request after another. It holds only public data of the repository."""

    def __init__(self, memory: int = MEMORY):
        self._memory, self._child, self._jobs = memory, None, 0
        self._answers: queues.Queue[str] = queues.Queue()
        self._folder = tempfile.TemporaryDirectory(prefix="reincarnate-judge-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.end()
        self._folder.cleanup()

    def examine(
        self, repository: DatasetRepository, hub: str, request: Request, base: str, episodes: int, seconds: float
    ) -> list[Verdict]:
        """Judge all runs of a request against the results at the commit `base`. Raises Died if the child does not
        finish."""
        job = {"kind": "examine", "base": base, "episodes": episodes, "request": request._asdict()}
        return self._ask({**job, "at": repository.repo, "hub": hub}, seconds)

    def retrain(
        self, repository: DatasetRepository, hub: str, request: Request, base: str, verdict: Verdict, seconds: float
    ) -> Verdict:
        """Train a run again and return the verdict with the result. Raises Died if the child does not finish."""
        job = {"kind": "retrain", "base": base, "verdict": verdict.model_dump_json(), "request": request._asdict()}
        return self._ask({**job, "at": repository.repo, "hub": hub}, seconds)[0]

    def folder(self, folder: Path, results: str, places: tuple[str, ...], episodes: int, seconds: float):
        """Judge a submission's folder, against a results repository's folder if there is one."""
        job = {"kind": "folder", "folder": str(folder.absolute()), "results": results, "places": places}
        return self._ask({**job, "episodes": episodes}, seconds)

    def end(self) -> None:
        """End the child and all processes it has started."""
        if self._child is not None:
            with contextlib.suppress(OSError):
                os.killpg(self._child.pid, 9) if hasattr(os, "killpg") else self._child.kill()
            self._child.wait()
            for stream in (self._child.stdin, self._child.stdout):
                if stream:
                    stream.close()
        self._child, self._jobs = None, 0

    def _ask(self, job: dict[str, Any], seconds: float) -> list[Verdict]:
        if self._jobs >= JOBS:
            self.end()
        child, self._jobs = self._child or self._start(), self._jobs + 1
        out = Path(self._folder.name) / f"answer-{time.monotonic_ns()}"
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps({**job, "out": str(out)}) + "\n")
            child.stdin.flush()
            answer = self._answers.get(timeout=max(seconds, 0.01))
        except queues.Empty:
            self.end()
            raise Died(
                f"judging took longer than the {seconds:g} seconds allowed for one request: it was stopped"
            ) from None
        except OSError:
            answer = ""
        if answer.strip() == "refused":
            raise ValueError(out.read_text(encoding="utf-8"))
        if answer.strip() != "done" or not out.is_file():
            code = child.wait()
            self.end()
            raise Died(f"the process that judged it died ({code}): it used more than a request may")
        data = out.read_bytes()
        out.unlink()
        return VERDICTS.validate_json(data)

    def _start(self) -> subprocess.Popen:
        package = str(Path(__file__).absolute().parents[3])
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))}
        env |= {"TMPDIR": self._folder.name}
        command = [sys.executable, "-m", "reincarnate.benchmark.submission.apart", str(self._memory)]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._child, self._answers = child, queues.Queue()
        threading.Thread(target=_listen, args=(child.stdout, self._answers), daemon=True).start()
        try:
            ready = self._answers.get(timeout=SLOW)
        except queues.Empty:
            ready = ""
        if ready.strip() != "ready":
            self.end()
            raise ValueError("the judging process did not start: free some memory")
        return child


def _listen(stream, answers: "queues.Queue[str]") -> None:
    with contextlib.suppress(ValueError, OSError):
        for line in stream:
            answers.put(line)
    answers.put("")


def limit(memory: int) -> None:
    """Set the limits of this process; systems without them only have the time limit."""
    try:
        import resource
    except ImportError:
        return
    for what, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, LARGEST), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(what)[1]
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


@lru_cache(1)
def _results(at: str, base: str, hub: str) -> Results:
    return read(hubs.snapshot(Ref(at, base), "dataset", hub))


def _done(job: dict[str, Any]) -> list[Verdict]:
    from .retrain import retrain
    from .verify import submitted, verify_folder, verify_request

    if job["kind"] == "folder":
        folder = Path(job["folder"])
        known = read(Path(job["results"])) if job["results"] else Results(folder, {}, {}, (), ())
        return verify_folder(folder, known, job["places"], job["episodes"])
    repository, request = DatasetRepository(job["at"], job["hub"]), Request(**job["request"])
    if job["kind"] == "retrain":
        verdict = Verdict.model_validate_json(job["verdict"])
        one, lines = submitted(request, repository, verdict.run)
        return [retrain(one, lines, verdict, job["hub"])]
    results = _results(job["at"], job["base"], job["hub"])
    return verify_request(request, repository, job["hub"], results, job["episodes"])


def main() -> None:
    """Read one job per line and answer `done` once the job's file has the verdicts."""
    limit(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # output of libraries must not be taken for an answer
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        job = json.loads(line)
        try:
            Path(job["out"]).write_bytes(VERDICTS.dump_json(_done(job)))
            answers.write("done\n")
        except ValueError as error:  # a sentence for the user
            Path(job["out"]).write_text(str(error), encoding="utf-8")
            answers.write("refused\n")
        answers.flush()


if __name__ == "__main__":
    main()
