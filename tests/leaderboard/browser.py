"""A headless Chromium for tests: opens pages, runs scripts in them, presses keys, takes pictures, notes every fault.

It is spoken to over a pipe in the DevTools protocol, so no driver, no port and no other package is needed.
"""

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --remote-debugging-pipe"
).split()
SECONDS = 60
WINDOWS = tuple(itertools.product((1400, 390), (False, True)))  # width and dark: a desk and a phone

needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="no Chromium on this machine: install it (apt-get install chromium)"
)


FAINT = """(() => {
  const parts = (text) => {
    const found = (text.match(/[\\d.]+(?:e-?\\d+)?/g) || []).map(Number), unit = text.startsWith("color(") ? 1 : 255;
    return [...found.slice(0, 3).map((x) => x / unit), found.length > 3 ? found[3] : 1];
  };
  const over = (top, below) => top.slice(0, 3).map((x, n) => x * top[3] + below[n] * (1 - top[3]));
  const light = (rgb) => rgb.reduce((sum, x, n) =>
    sum + [0.2126, 0.7152, 0.0722][n] * (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4), 0);
  const paper = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) layers.push(parts(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [1, 1, 1]);
  };
  const faint = [];
  for (const one of document.querySelectorAll("body *")) {
    const words = [...one.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    if (!words || !box.width || !box.height || one.closest("option, script, style")) continue;
    if (!one.checkVisibility({ visibilityProperty: true })) continue;  // also what a closed <details> holds
    const ink = parts(one.closest("svg") ? style.fill : style.color), ground = paper(one);
    let opacity = ink[3];
    for (let at = one; at; at = at.parentElement) opacity *= +getComputedStyle(at).opacity;
    if (opacity < 0.01) continue;  // not seen at all
    const a = light(over([...ink.slice(0, 3), opacity], ground)), b = light(ground);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), size = parseFloat(style.fontSize);
    if (ratio < (size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5) - 0.01) {
      faint.push([words.slice(0, 40), Math.round(ratio * 100) / 100]);
    }
  }
  return faint;
})()"""


class Left(AssertionError):
    """A page was left while it was asked: it has no answer, the next one will."""


class Browser:
    """One window. `faults` collects errors of the console and of scripts, `asked` every address that was requested."""

    def __init__(self, width: int = 1280, height: int = 900):
        assert CHROMIUM
        self._home = tempfile.mkdtemp(prefix="chromium-")
        (theirs_in, self._out), (self._in, theirs_out) = os.pipe(), os.pipe()
        high_in, high_out = os.dup(theirs_in), os.dup(theirs_out)  # above 4, so that neither is overwritten
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={self._home}", f"--window-size={width},{height}", "about:blank"]
        shell = f'exec "$@" 3<&{high_in} 4>&{high_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", shell, "browser", *command],
            pass_fds=(high_in, high_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for each in (theirs_in, theirs_out, high_in, high_out):
            os.close(each)
        self._buffer, self._number, self._session = b"", 0, ""
        self.faults: list[str] = []
        self.asked: list[str] = []
        pages = self.call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in pages if one["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self._size(width, height)

    def call(self, method: str, **options: Any) -> dict[str, Any]:
        """Send one command of the protocol, and return its answer."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": options}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + SECONDS
        while True:
            answer = self._next(until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    told = answer["error"]["message"]
                    raise (Left if "navigated" in told or "context" in told else AssertionError)(f"{method}: {told}")
                return answer["result"]

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def js(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until it is true, also on the next page if a click leads there."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(Left):
                if self.js(script):
                    return
            time.sleep(0.02)
        raise AssertionError(f"{script} never became true")

    def press(self, key: str, code: int = 0, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def point(self, x: float, y: float) -> None:
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def phone(self) -> None:
        self._size(390, 844)

    def _size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )

    def dark(self, wanted: bool = True) -> None:
        feature = {"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path: Path) -> None:
        """Save the whole page as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def faint(self) -> list[list[Any]]:
        """Return [words, ratio] of what is written with less contrast than WCAG's AA asks for: 4.5, or 3 if large."""
        still = "a => a.playState !== 'running' || a.effect.getComputedTiming().endTime === Infinity"
        self.wait(f"document.getAnimations().every({still})")
        return self.js(FAINT)

    def close(self) -> None:
        for end in (self._out, self._in):
            os.close(end)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)

    def _next(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(until - time.monotonic(), 0))
            assert ready, "the browser does not answer"
            data = os.read(self._in, 1 << 20)
            assert data, "the browser is gone"
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        told = json.loads(message)
        method, params = told.get("method"), told.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.faults.append(str(params["exceptionDetails"].get("exception", params).get("description", params)))
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.faults.append(str(params["args"]))
        if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.faults.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        return told


@contextlib.contextmanager
def window(width: int, dark: bool) -> Iterator[Browser]:
    """Open a window of a desk or of a phone, light or dark."""
    browser = Browser(width)
    try:
        if width < 500:
            browser.phone()
        browser.dark(dark)
        yield browser
    finally:
        browser.close()


def picture_file(folder: Path, name: str, width: int, dark: bool) -> Path:
    """Return where a picture goes: the folder, or PICTURES if that is set, to be looked at."""
    return Path(os.environ.get("PICTURES") or folder) / f"{name}-{width}-{'dark' if dark else 'light'}.png"
