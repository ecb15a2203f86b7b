// Charts with Observable Plot. They react to the pointer and the arrow keys, and are redrawn when the width changes.
"use strict";
const drawn = new Map(); // host -> its draw function
const TRANSFERS = [ // kind, as the board names it; words; colour
  ["weights", "the teacher's weights", "var(--c0)"],
  ["labels", "the teacher's answers", "var(--amber)"],
  ["log", "a log alone", "var(--c2)"],
  ["nothing", "nothing", "var(--c7)"],
];
const colorOf = (kind) => (TRANSFERS.find(([name]) => name === kind) || [])[2] || "var(--soft)";
const narrow = () => innerWidth < 640;

// options: of Plot; points: [{px, py, text, go}] for pointer and arrow keys, as functions of the finished plot
function chart(host, label, options, points, above = null) {
  const draw = () => {
    const width = Math.max(300, host.clientWidth || 860), made = options(width);
    const svg = Plot.plot({
      width,
      ariaLabel: label,
      style: { background: "none", color: "var(--ink)", fontSize: "12px", fontFamily: "inherit", overflow: "visible" },
      ...made,
    });
    const figure = svg.tagName.toLowerCase() === "svg" ? svg : svg.querySelector("svg");
    figure.setAttribute("tabindex", 0);
    figure.setAttribute("role", "img");
    figure.setAttribute("aria-label", label);
    host.replaceChildren(...(above ? [above] : []), svg);
    answer(host, figure, points(svg, made).filter((p) => Number.isFinite(p.px) && Number.isFinite(p.py)));
  };
  drawn.set(host, draw);
  draw();
}

function nothing(host, text) {
  drawn.delete(host);
  host.replaceChildren(el("p", { class: "hint" }, text));
}

let waiting = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => drawn.forEach((draw) => draw()));
});

function answer(host, svg, points) {
  const tip = el("div", { class: "tip", role: "status", hidden: "" }),
    ring = el("circle", { class: "ring", r: 7, visibility: "hidden" });
  let at = -1;
  const show = (index) => {
    at = Math.max(0, Math.min(points.length - 1, index));
    const p = points[at], box = svg.getBoundingClientRect(), outer = host.getBoundingClientRect();
    ring.setAttribute("cx", p.px);
    ring.setAttribute("cy", p.py);
    ring.setAttribute("visibility", "visible");
    tip.textContent = p.text;
    tip.hidden = false;
    const left = box.left - outer.left + p.px, top = box.top - outer.top + p.py;
    tip.style.left = `${Math.max(0, Math.min(left + 14, outer.width - tip.offsetWidth))}px`;
    tip.style.top = `${top > tip.offsetHeight + 14 ? top - tip.offsetHeight - 12 : top + 16}px`;
  };
  const hide = () => {
    tip.hidden = true;
    ring.setAttribute("visibility", "hidden");
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const near = d3.least(points.map((p, n) => [Math.hypot(p.px - x, p.py - y), n]), (pair) => pair[0]);
    if (near && near[0] < 40) show(near[1]);
    else hide();
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("click", () => {
    if (!tip.hidden && points[at].go) location.href = points[at].go;
  });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step && points.length) {
      event.preventDefault();
      show(at < 0 ? 0 : at + step);
    }
    if (event.key === "Enter" && at >= 0 && points[at].go) location.href = points[at].go;
    if (event.key === "Escape") hide();
  });
  svg.append(ring);
  host.append(tip);
}

// Move labels at the ends of lines apart until none overlap. [{y in px, ...}] -> the same with `at`
function apart(labels, low, high, gap = 14) {
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  sorted.forEach((one, n) => {
    one.at = Math.max(one.y, n ? sorted[n - 1].at + gap : low);
  });
  for (let n = sorted.length - 1, most = high; n >= 0; most = sorted[n].at - gap, n -= 1) {
    sorted[n].at = Math.min(sorted[n].at, most);
  }
  return sorted;
}

// Place labels on falling lines, each at a different height so that none overlap.
function falls(series, color) {
  return series.map((s, n) => {
    const y = 0.94 - (0.88 * n) / series.length, at = s.y[0].findIndex((v) => v < y);
    return { x: s.x[at < 0 ? s.x.length - 1 : at], y, name: s.name, fill: color(s, n) };
  });
}

const clipped = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

// series: [{name, x: [..], y: [[value], [low], [high]] or [[value]], base}]; base: always drawn in grey
function curves(
  host,
  series,
  { xlabel, ylabel = "score", one = 1, oneName = "teacher", zero = "random", step = false, dots = true },
) {
  if (!series.length) return nothing(host, "Nothing to draw yet.");
  const all = series.flatMap((s) => s.y.flat()), color = (s, n) => (s.base ? "var(--soft)" : COLORS[n % COLORS.length]);
  const low = Math.min(0, ...all),
    high = Math.max(one ?? 0, ...all),
    far = Math.max(...series.flatMap((s) => s.x)) || 1;
  const flat = series.flatMap((s, n) =>
    s.x.map((x, i) => ({
      x,
      y: s.y[0][i],
      low: (s.y[1] || s.y[0])[i],
      high: (s.y[2] || s.y[0])[i],
      name: s.name,
      stroke: color(s, n),
      s,
      i,
    }))
  );
  const most = Math.max(...series.map((s) => s.name.length)), letters = narrow() ? 20 : 28;
  chart(host, `${ylabel} against ${xlabel}`, () => {
    const height = narrow() ? 320 : 400,
      margin = { top: 24, bottom: 42 },
      right = step ? 40 : 18 + Math.min(most, letters) * 7;
    const y = d3.scaleLinear([low, high], [height - margin.bottom, margin.top]).nice();
    const ends = step ? falls(series, color) : apart(
      series.map((s, n) => ({ y: y(s.y[0][s.y[0].length - 1]), name: s.name, fill: color(s, n) })),
      margin.top + 4,
      height - margin.bottom - 2,
    );
    const guides = one === null ? [] : [{ y: one, name: oneName }, { y: 0, name: zero }];
    const curve = step ? "step-after" : "linear";
    return {
      height,
      marginLeft: 44,
      marginRight: right,
      marginTop: margin.top,
      marginBottom: margin.bottom,
      x: {
        domain: [0, far],
        label: xlabel,
        labelArrow: "none",
        tickFormat: short,
        ticks: narrow() ? 4 : 8,
        nice: true,
      },
      y: { domain: y.domain(), label: ylabel, labelArrow: "none", grid: true, ticks: 6 },
      marks: [
        Plot.ruleY(guides, { y: "y", stroke: "var(--soft)", strokeDasharray: "4 3" }),
        Plot.text(guides, {
          y: "y",
          text: "name",
          frameAnchor: "right",
          dx: -4,
          dy: -7,
          textAnchor: "end",
          fill: "var(--soft)",
          stroke: "var(--paper)",
          strokeWidth: 4,
        }),
        Plot.areaY(flat, { x: "x", y1: "low", y2: "high", z: "name", fill: "stroke", fillOpacity: 0.12, curve }),
        Plot.line(flat, {
          x: "x",
          y: "y",
          z: "name",
          stroke: "stroke",
          strokeWidth: (d) => (d.s.base ? 2.5 : 2),
          curve,
          className: "curve",
        }),
        ...(dots ? [Plot.dot(flat, { x: "x", y: "y", fill: "stroke", r: 3.5 })] : []),
        ...(step
          ? [
            Plot.text(ends, {
              x: "x",
              y: "y",
              text: "name",
              dx: 6,
              textAnchor: "start",
              fill: "fill",
              fontWeight: 600,
              stroke: "var(--paper)",
              strokeWidth: 4,
            }),
          ]
          : [
            Plot.text(ends, {
              frameAnchor: "right",
              y: (d) => y.invert(d.at),
              text: (d) => clipped(d.name, letters),
              dx: 8,
              textAnchor: "start",
              fill: "fill",
              fontWeight: 600,
            }),
          ]),
      ],
    };
  }, (svg) => {
    const [x, y] = [svg.scale("x"), svg.scale("y")];
    return flat.filter((d) => dots || d.i % 5 === 0).map((d) => ({
      px: x.apply(d.x),
      py: y.apply(d.y),
      text: `${d.name}\n${short(d.x)} ${xlabel}: ${d.low === d.high ? score(d.y) : interval([d.y, d.low, d.high])}`,
    }));
  });
}

// rows: [{name, id, value: [value, low, high] or [value], transfers}], best first
function intervals(host, rows, { go, base, oneName }) {
  if (!rows.length) return nothing(host, "Nothing to draw yet.");
  const data = rows.map((r) => ({
    ...r,
    x: r.value[0],
    low: r.value[1] ?? r.value[0],
    high: r.value[2] ?? r.value[0],
    fill: colorOf(r.transfers),
  }));
  const letters = narrow() ? 24 : 40, most = Math.min(letters, Math.max(...rows.map((r) => r.name.length)));
  const rival = data.find((r) => r.id === base);
  const guides = [{ x: 0, name: "random" }, { x: 1, name: oneName }];
  chart(
    host,
    "score of every entry, with its interval",
    () => ({
      height: 66 + data.length * 19,
      marginLeft: 12 + most * 7,
      marginTop: 22,
      marginBottom: 40,
      marginRight: 34,
      x: {
        domain: [Math.min(0, ...data.map((d) => d.low)), Math.max(1, ...data.map((d) => d.high))],
        nice: true,
        label: "score (IQM) at the end of the budget",
        labelArrow: "none",
        labelAnchor: "center",
        grid: true,
      },
      y: {
        domain: data.map((d) => d.id),
        label: null,
        tickFormat: (id) => clipped(data.find((d) => d.id === id).name, letters),
        tickSize: 0,
      },
      marks: [
        Plot.ruleX(guides, { x: "x", stroke: "var(--soft)", strokeDasharray: "4 3" }),
        Plot.text(guides, { x: "x", text: "name", frameAnchor: "top", dy: -12, fill: "var(--soft)" }),
        ...(rival
          ? [
            Plot.ruleX([rival], { x: "x", stroke: "var(--soft)" }),
            Plot.text([rival], {
              x: "x",
              text: "name",
              frameAnchor: "bottom",
              dy: -6,
              dx: 4,
              textAnchor: "start",
              fill: "var(--soft)",
            }),
          ]
          : []),
        Plot.ruleY(data, { y: "id", x1: "low", x2: "high", stroke: "fill", strokeWidth: 5, strokeOpacity: 0.4 }),
        Plot.dot(data, { y: "id", x: "x", fill: "fill", r: 5 }),
      ],
    }),
    (svg) =>
      data.map((d) => ({
        px: svg.scale("x").apply(d.x),
        py: svg.scale("y").apply(d.id) + svg.scale("y").bandwidth / 2 || svg.scale("y").apply(d.id),
        text: `${d.name}: ${interval(d.value)}\ntransferred: ${TRANSFERS.find(([name]) => name === d.transfers)[1]}`,
        go: go(d.id),
      })),
    legend(data.map((d) => d.transfers)),
  );
}

function legend(used) {
  return el(
    "ul",
    { class: "legend" },
    el("li", {}, "what is transferred:"),
    TRANSFERS.filter(([name]) => used.includes(name)).map(([, words, color]) => {
      const i = el("i");
      i.style.background = color;
      return el("li", {}, i, words);
    }),
  );
}

// points: [{id, name, cost, score, on, text, transfers}]: those `on` the front define its line and get labels
function front(host, points, { xlabel, go, oneName }) {
  const data = points.filter((p) => p.cost > 0 && Number.isFinite(p.score)).map((p) => ({
    ...p,
    fill: colorOf(p.transfers),
  }));
  if (!data.length) return nothing(host, "No entry has a cost on this axis yet.");
  const line = [...data].filter((p) => p.on).sort((a, b) => a.cost - b.cost || b.score - a.score);
  const low = Math.min(...data.map((p) => p.cost)) / 1.4, high = Math.max(...data.map((p) => p.cost)) * 1.4;
  const stairs = line.length ? [...line, { cost: high, score: line[line.length - 1].score }] : [];
  chart(
    host,
    `score against ${xlabel}, with the front of those that nobody beats for less`,
    () => ({
      height: narrow() ? 340 : 420,
      marginLeft: 44,
      marginRight: 20,
      marginTop: 24,
      marginBottom: 42,
      x: {
        type: "log",
        domain: [low, high],
        label: `${xlabel} (log scale)`,
        labelArrow: "none",
        tickFormat: short,
        ticks: narrow() ? 3 : 6,
      },
      y: {
        domain: [Math.min(0, ...data.map((p) => p.score)), Math.max(1, ...data.map((p) => p.score)) * 1.06],
        label: "score",
        labelArrow: "none",
        grid: true,
        nice: true,
        ticks: 6,
      },
      marks: [
        Plot.ruleY([1], { stroke: "var(--soft)", strokeDasharray: "4 3" }),
        Plot.text([1], {
          y: 1,
          text: [oneName],
          frameAnchor: "left",
          dx: 4,
          dy: -7,
          textAnchor: "start",
          fill: "var(--soft)",
        }),
        Plot.line(stairs, {
          x: "cost",
          y: "score",
          curve: "step-after",
          stroke: "var(--mark)",
          strokeWidth: 2.5,
          className: "staircase",
        }),
        Plot.dot(data.filter((p) => !p.on), {
          x: "cost",
          y: "score",
          r: 3.5,
          fill: "fill",
          fillOpacity: 0.55,
          className: "point",
        }),
        Plot.dot(line, { x: "cost", y: "score", r: 6.5, fill: "fill", stroke: "var(--paper)", className: "point" }),
        Plot.text(line, {
          x: "cost",
          y: "score",
          text: "name",
          dy: -14,
          textAnchor: "middle",
          fill: "var(--ink)",
          stroke: "var(--paper)",
          strokeWidth: 4,
          fontWeight: 600,
        }),
      ],
    }),
    (svg) =>
      [...data].sort((a, b) => a.cost - b.cost).map((p) => ({
        px: svg.scale("x").apply(p.cost),
        py: svg.scale("y").apply(p.score),
        text: p.text,
        go: go(p.id),
      })),
    legend(data.map((d) => d.transfers)),
  );
}
