// Format numbers and create elements. Untrusted content is inserted as text, never as markup.
"use strict";
const COLORS = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => `var(--c${n})`); // from the theme, so that labels of lines are readable
const UNITS = BOARD.units;

function short(x) {
  if (x === null || x === undefined) return "–";
  for (const [size, letter] of [[1e18, "E"], [1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (+Math.abs(x).toPrecision(3) >= size) return `${+(x / size).toPrecision(3)}${letter}`;
  }
  return `${+x.toPrecision(3)}`;
}

function score(x) {
  return x === null || x === undefined ? "–" : x.toFixed(2).replace(/^-(0\.00)$/, "$1");
}

const mean = (x) => x.toFixed(1); // of returns

function interval(values) {
  if (!values) return "–";
  return values.length < 3
    ? `${score(values[0])} (one run)`
    : `${score(values[0])} [${score(values[1])}, ${score(values[2])}]`;
}

// el("td", {class: "x", onclick: f}, "text", child, ...)
function el(name, options = {}, ...children) {
  const vector = ["svg", "g", "path", "circle", "rect", "line", "text", "polyline", "title", "marker"].includes(name) ||
    options.svg;
  const made = vector ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(options)) {
    if (key === "svg" || value === null || value === undefined) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) made.append(child);
  return made;
}

function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
  select.value = options.some(([value]) => value === chosen) ? chosen : options.length ? options[0][0] : "";
}

function theme() {
  const root = document.documentElement, button = document.getElementById("theme");
  let kept = null;
  try {
    kept = localStorage.getItem("theme");
  } catch { /* pages opened from disk may have no storage */ }
  if (kept) root.dataset.theme = kept;
  button.addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("theme", root.dataset.theme);
    } catch { /* the choice is then lost with the page */ }
  });
}

// Explain a column on hover and focus; one bubble for the whole page.
function tipped(target, text) {
  const show = () => {
    let bubble = document.getElementById("bubble");
    if (!bubble) document.body.append(bubble = el("div", { id: "bubble", class: "tip" }));
    const box = target.getBoundingClientRect();
    bubble.textContent = text;
    bubble.hidden = false;
    bubble.style.left = `${Math.max(8, Math.min(box.left, innerWidth - bubble.offsetWidth - 8))}px`;
    bubble.style.top = `${box.bottom + 6}px`;
  };
  const hide = () => {
    const bubble = document.getElementById("bubble");
    if (bubble) bubble.hidden = true;
  };
  for (const [name, f] of [["pointerenter", show], ["focus", show], ["pointerleave", hide], ["blur", hide]]) {
    target.addEventListener(name, f);
  }
}

// A button that copies the content of a <pre>.
function copied(pre) {
  const before = pre.previousElementSibling;
  if (before && before.className === "copy") before.remove();
  const button = el("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre); // pages opened from disk may not have access to the clipboard
      button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
    }
    setTimeout(() => {
      button.textContent = "Copy";
    }, 2000);
  });
  pre.before(button);
}
