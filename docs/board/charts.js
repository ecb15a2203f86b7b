// Line charts with bands, and scatter fronts. They answer to the pointer and to the arrow keys.
"use strict";
const BOX = { get w() { return innerWidth < 640 ? 430 : 860; }, h: 360, left: 56, right: 14, top: 12, bottom: 44 };

function scale(low, high, from, to, log) {
  const f = log ? (x) => Math.log10(Math.max(x, low)) : (x) => x;
  const span = f(high) - f(low) || 1;
  return (x) => from + ((f(x) - f(low)) / span) * (to - from);
}

function ticks(low, high, log) {
  if (log) {
    const found = [];
    const marks = high / low < 300 ? [1, 2, 5] : [1];
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high) + 1e-9; e++) for (const m of marks) if (m * 10 ** e >= low * 0.999 && m * 10 ** e <= high * 1.001) found.push(m * 10 ** e);
    return found.length > 1 ? found.filter((_, i) => i % Math.ceil(found.length / 8) === 0) : [low, high];
  }
  const raw = (high - low || 1) / 5, unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw), found = [];
  for (let x = Math.ceil(low / step) * step; x <= high + 1e-9; x += step) found.push(+x.toPrecision(6));
  return found;
}

function frame(x, y, xs, ys, xlabel, ylabel, label) {
  const svg = el("svg", { viewBox: `0 0 ${BOX.w} ${BOX.h}`, role: "img", tabindex: 0, "aria-label": label });
  for (const t of ys) svg.append(el("line", { class: "axis", x1: BOX.left, x2: BOX.w - BOX.right, y1: y(t), y2: y(t) }), el("text", { x: BOX.left - 6, y: y(t) + 4, "text-anchor": "end" }, short(t)));
  for (const t of xs) svg.append(el("line", { class: "axis", x1: x(t), x2: x(t), y1: BOX.h - BOX.bottom, y2: BOX.h - BOX.bottom + 5 }), el("text", { x: x(t), y: BOX.h - BOX.bottom + 18, "text-anchor": "middle" }, short(t)));
  svg.append(el("text", { x: BOX.w - BOX.right, y: BOX.h - 6, "text-anchor": "end" }, xlabel), el("text", { x: BOX.left + 8, y: BOX.top + 14 }, ylabel));
  return svg;
}

// series: [{name, values: [[y], [low], [high]] or [[y]]}], all along the same grid
function lines(host, grid, series, { xlabel, ylabel = "score", log = false, one = 1 }) {
  host.replaceChildren();
  if (!series.length) return host.append(el("p", { class: "hint" }, "Nothing to draw yet."));
  const positive = grid.filter((g) => g > 0), low = log && positive.length ? positive[0] / 1.6 : grid[0];
  const all = series.flatMap((s) => s.values.flat());
  let bottom = Math.min(0, ...all), top = Math.max(one, ...all);
  const right = BOX.w - BOX.right, reach = log ? right - 40 : right; // a staircase goes on after its last step
  const x = scale(low, grid[grid.length - 1], BOX.left, reach, log), y = scale(bottom, top, BOX.h - BOX.bottom, BOX.top, false);
  const svg = frame(x, y, log ? [...(grid[0] === 0 ? [0] : []), ...ticks(positive[0] || 1, grid[grid.length - 1], true)] : ticks(low, grid[grid.length - 1], false), ticks(bottom, top, false), xlabel, ylabel, `${ylabel} against ${xlabel}`);
  svg.append(el("line", { class: "guide", x1: BOX.left, x2: BOX.w - BOX.right, y1: y(one), y2: y(one) }));
  const step = (values, i) => (log && i ? `H${x(grid[i]).toFixed(1)}V${y(values[i]).toFixed(1)}` : `${i ? "L" : "M"}${x(grid[i]).toFixed(1)},${y(values[i]).toFixed(1)}`);
  const stairs = (values) => values.map((_, i) => step(values, i)).join("") + (log ? `H${right}` : "");
  series.forEach((s, n) => {
    const color = COLORS[n % COLORS.length];
    if (s.values.length > 2) {
      const last = grid.length - 1, back = grid.map((_, n) => last - n).map((i) => (log ? `V${y(s.values[1][i]).toFixed(1)}H${x(grid[i]).toFixed(1)}` : `L${x(grid[i]).toFixed(1)},${y(s.values[1][i]).toFixed(1)}`)).join("");
      svg.append(el("path", { d: `${stairs(s.values[2])}${back}Z`, fill: color, opacity: 0.13 }));
    }
    svg.append(el("path", { class: "curve", d: stairs(s.values[0]), fill: "none", stroke: color, "stroke-width": 2 }));
  });
  const guide = el("line", { class: "guide", y1: BOX.top, y2: BOX.h - BOX.bottom, visibility: "hidden" });
  const tip = el("div", { class: "tip", hidden: "" });
  let at = grid.length - 1;
  const show = (i) => {
    at = Math.max(0, Math.min(grid.length - 1, i));
    guide.setAttribute("x1", x(grid[at])); guide.setAttribute("x2", x(grid[at])); guide.setAttribute("visibility", "visible");
    tip.textContent = [`${short(grid[at])} ${xlabel}`, ...series.map((s) => `${s.name}: ${interval(s.values.map((v) => v[at]))}`)].join("\n");
    tip.hidden = false;
    const share = x(grid[at]) / BOX.w;
    tip.style.left = share < 0.5 ? `${share * 100 + 2}%` : ""; tip.style.right = share < 0.5 ? "" : `${(1 - share) * 100 + 2}%`; tip.style.top = "1rem";
  };
  const hide = () => { tip.hidden = true; guide.setAttribute("visibility", "hidden"); };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), px = ((event.clientX - box.left) / box.width) * BOX.w;
    show(grid.reduce((best, g, i) => (Math.abs(x(g) - px) < Math.abs(x(grid[best]) - px) ? i : best), 0));
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) { event.preventDefault(); show(at + step); }
  });
  svg.append(guide);
  const legend = el("ul", { class: "legend" }, series.map((s, n) => { const i = el("i"); i.style.background = COLORS[n % COLORS.length]; return el("li", {}, i, s.name); }));
  host.append(svg, tip, legend);
}

// steps: [name, cost, score, confidence, advances, gain, volume]
function scatter(host, steps, { xlabel, name, go }) {
  host.replaceChildren();
  const shown = steps.filter((s) => s[1] > 0);
  if (!shown.length) return host.append(el("p", { class: "hint" }, "No entry has a cost on this axis yet."));
  const costs = shown.map((s) => s[1]), low = Math.min(...costs) / 1.5, high = Math.max(...costs) * 1.5;
  const bottom = Math.min(0, ...shown.map((s) => s[2])), top = Math.max(1, ...shown.map((s) => s[2])) * 1.04;
  const x = scale(low, high, BOX.left, BOX.w - BOX.right, true), y = scale(bottom, top, BOX.h - BOX.bottom, BOX.top, false);
  const svg = frame(x, y, ticks(low, high, true), ticks(bottom, top, false), xlabel, "score", "score against cost");
  svg.append(el("line", { class: "guide", x1: BOX.left, x2: BOX.w - BOX.right, y1: y(1), y2: y(1) }));
  let best = -Infinity, path = "";
  for (const s of shown.filter((s) => s[4]).sort((a, b) => a[1] - b[1] || b[2] - a[2])) if (s[2] > best) {
    path += best === -Infinity ? `M${x(s[1])},${y(s[2])}` : `H${x(s[1])}V${y(s[2])}`;
    best = s[2];
  }
  if (path) svg.append(el("path", { class: "staircase", d: `${path}H${BOX.w - BOX.right}`, fill: "none", stroke: "var(--mark)", "stroke-width": 2 }));
  for (const s of shown) {
    const words = `${name(s[0])}\nscore ${score(s[2])}, ${short(s[1])} ${xlabel}\n${s[4] ? `advanced the front, gain ${s[5] === null ? "not anchored" : s[5].toFixed(3)}` : `did not advance it (sure to ${Math.round(s[3] * 100)} %)`}`;
    svg.append(el("a", { svg: true, href: go(s[0]), "aria-label": words }, el("circle", { cx: x(s[1]), cy: y(s[2]), r: s[4] ? 6 : 3.5, fill: s[4] ? "var(--mark)" : "var(--soft)", opacity: s[4] ? 1 : 0.55 }, el("title", {}, words))));
  }
  host.append(svg);
}
