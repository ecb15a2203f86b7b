// The table and what follows from it. The state is in the address, so that a view can be shared.
"use strict";
const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const view = { sort: "score", down: true, page: 0 };
const PAGE = 25;
const suite = () => BOARD.suites.find((s) => s.name === $("suite").value);
const scaled = (text) => (suite() ? text.replace("teacher", suite().scale) : text);
const link = (id) => `entries/${encodeURIComponent(id)}.html`;
const label = (id) => id.split("~").slice(0, 2).join(" / ");

const COLUMNS = [ // key, title, value to sort by, cell
  ["entry", "Entry", (r) => r.e.entry.toLowerCase(), (r) => el("td", {}, el("a", { href: link(r.e.id) }, r.e.entry), flags(r))],
  ["author", "Author", (r) => r.e.author.toLowerCase(), (r) => el("td", {}, r.e.author)],
  ["state", "Badge", (r) => ["revoked", "self-reported", "re-scored", "re-trained", "promoted"].indexOf(r.e.state), (r) => el("td", {}, el("span", { class: `badge ${r.e.state}` }, r.e.state))],
  ["score", "Score (IQM)", (r) => value(r.now.iqm), (r) => band(r.now.iqm)],
  ["gain", "Improvement", (r) => r.gain ?? -1, (r) => el("td", {}, r.gain === null ? "–" : r.gain.toFixed(3))],
  ["full", "Full cost", (r) => r.e.cost.full[$("axis").value], (r) => el("td", {}, r.e.unpriced.length ? el("span", { class: "warn", title: `unpriced: ${r.e.unpriced.join(", ")}` }, "≥ ") : null, short(r.e.cost.full[$("axis").value]))],
  ["own", "Own cost", (r) => r.e.cost.marginal[$("axis").value], (r) => el("td", {}, short(r.e.cost.marginal[$("axis").value]), el("small", { class: "cost", title: r.e.cost_badge }, r.e.checked ? ` checked ${r.e.checked}/${r.e.runs}` : " self-reported"))],
  ["above", "Above teacher", (r) => value(r.now.above), (r) => percent(r.now.above)],
  ["better", "P(better)", (r) => value(r.better), (r) => percent(r.better)],
  ["reach", "Cost to teacher", (r) => (r.reach && r.reach[0] !== null ? r.reach[0] : Infinity), (r) => reach(r.reach)],
  ["area", "Area under curve", (r) => value(r.area), (r) => plain(r.area)],
  ["mean", "Mean", (r) => value(r.now.mean), (r) => plain(r.now.mean)],
  ["median", "Median", (r) => value(r.now.median), (r) => plain(r.now.median)],
  ["gap", "Optimality gap", (r) => value(r.now.optimality_gap), (r) => plain(r.now.optimality_gap)],
];
const TASK_COLUMNS = ["entry", "author", "state"].map((key) => COLUMNS.find((c) => c[0] === key)).concat([
  ["score", "Score (mean)", (r) => value(r.t.score), (r) => band(r.t.score)],
  ["return", "Return", (r) => r.t.return, (r) => el("td", {}, short(r.t.return))],
  ["runs", "Runs", (r) => r.t.runs, (r) => el("td", {}, r.t.runs)],
  ["full", "Full FLOPs", (r) => r.t.flops, (r) => el("td", {}, short(r.t.flops))],
]);

const TIPS = {
  gain: "What the entry added to the front of score against cost, over all before it; entries that an author had accepted on one day are judged together, in no order.",
  area: "Mean score from 0 to the run's own budget along this axis: whoever is good early has more of it.",
};

const value = (x) => (x && x[0] !== null ? x[0] : -Infinity);
const plain = (x) => el("td", { title: x && x.length > 2 ? interval(x) : null }, x ? score(x[0]) : "–");
const percent = (x) => el("td", { title: x && x.length > 2 ? x.map((v) => `${Math.round(v * 100)} %`).join(" / ") : null }, x ? `${Math.round(x[0] * 100)} %` : "–");
const reach = (x) => el("td", {}, x ? short(x[0]) : "–", x && x[x.length - 1] ? el("small", {}, ` ${Math.round(x[x.length - 1] * 100)} % miss`) : null);

function band(x) {
  const top = 1.5, share = (v) => Math.max(0, Math.min(1, v / top)) * 100, bar = el("span", { class: "bar", "aria-hidden": "true" });
  const piece = (name, left, width) => { const made = el(name); made.style.left = `${left}%`; if (width !== undefined) made.style.width = `${Math.max(width, 1)}%`; bar.append(made); };
  piece("u", share(1));
  if (x.length > 2) piece("i", share(x[1]), share(x[2]) - share(x[1]));
  piece("b", share(x[0]));
  return el("td", {}, score(x[0]), el("small", {}, x.length > 2 ? ` [${score(x[1])}, ${score(x[2])}]` : " one run"), bar);
}

function flags(r) {
  const told = [];
  if (r.s.missing.length) told.push(`no run of ${r.s.missing.join(", ")}: counts as random play`);
  if (r.e.tainted.length) told.push(`descends from revoked ${r.e.tainted.join(", ")}`);
  if (r.e.gone.length) told.push(`the students of ${r.e.gone.join(", ")} are not on the hub any more`);
  const words = [r.s.missing.length && `${r.s.missing.length} missing`, r.e.tainted.length && "revoked parent", r.e.gone.length && `${r.e.gone.length} ${r.e.gone.length === 1 ? "student" : "students"} gone`].filter(Boolean);
  return told.length ? el("span", { class: "warn", title: told.join("; "), "aria-label": told.join("; ") }, ` ⚠ ${words.join(", ")}`) : null;
}

function rows() {
  const s = suite(), task = $("task").value, axis = $("axis").value, level = +$("level").value, words = $("filter").value.toLowerCase().split(/\s+/);
  const found = [];
  for (const e of BOARD.entries) {
    const of = s && e.suites[s.name];
    if (!of || (task && !of.tasks[task]) || ($("track").value && e.track !== $("track").value) || ($("state").value && e.state !== $("state").value)) continue;
    const text = `${e.entry} ${e.author} ${e.methods.join(" ")} ${e.networks.join(" ")} ${e.track} ${e.state}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    found.push({ e, s: of, t: of.tasks[task], now: level < 0 ? of.end : of.levels[axis][level], better: of.better[$("baseline").value], area: of.area[axis], reach: of.reach[axis], gain: of.gain });
  }
  const columns = task ? TASK_COLUMNS : COLUMNS, by = (columns.find((c) => c[0] === view.sort) || columns[3])[2];
  found.sort((a, b) => { const [x, y] = [by(a), by(b)], apart = !!a.s.unranked - !!b.s.unranked; return apart || (x < y ? -1 : x > y ? 1 : 0) * (view.down ? -1 : 1) || (a.e.id < b.e.id ? -1 : 1); });
  return [found, columns];
}

function draw() {
  const [found, columns] = rows(), s = suite(), axis = $("axis").value;
  view.page = Math.min(view.page, Math.max(0, Math.ceil(found.length / PAGE) - 1));
  const start = view.page * PAGE;
  const sort = (key) => () => { view.down = view.sort === key ? !view.down : !["entry", "author", "own", "full", "reach", "gap"].includes(key); view.sort = key; view.page = 0; draw(); $("rows").querySelector(`[data-key=${key}]`).focus(); };
  $("rows").tHead.replaceChildren(el("tr", {}, el("th", { scope: "col" }, "#"), columns.map(([key, title]) => el("th", { scope: "col", "aria-sort": view.sort === key ? (view.down ? "descending" : "ascending") : "none" }, el("button", { type: "button", "data-key": key, title: TIPS[key], onclick: sort(key) }, scaled(title))))));
  $("rows").tBodies[0].replaceChildren(...found.slice(start, start + PAGE).map((r, n) => el("tr", { "data-id": r.e.id }, el("td", { title: r.s.unranked || (r.s.beats_next == null ? "" : `beats the next with probability ${r.s.beats_next}`) }, r.s.unranked ? "–" : start + n + 1), columns.map((c) => c[3](r)))));
  const turn = (by, text, off) => el("button", { type: "button", onclick: () => { view.page += by; draw(); }, ...(off ? { disabled: "" } : {}) }, text);
  $("pager").replaceChildren(...(found.length > PAGE ? [turn(-1, "‹ before", !view.page), ` ${start + 1}–${Math.min(start + PAGE, found.length)} of ${found.length} `, turn(1, "next ›", start + PAGE >= found.length)] : [found.length ? `${found.length} ${found.length === 1 ? "entry" : "entries"}` : BOARD.entries.length ? "Nothing fits the filter." : "No entry yet: be the first with reincarnate submit."]));
  notes(s);
  curves(found.slice(start, start + 8).map((r) => r.e.id), s, axis);
  remember();
}

function notes(s) {
  const told = [];
  document.querySelector("#profiles .hint").textContent = scaled("Share of runs above each score; 1 is the teacher.");
  if (s && s.scale === "human") told.push("here a human tester is at 1, not the teacher: Mnih et al. (2015), without sticky actions.");
  for (const [task, about] of Object.entries(s ? s.tasks : {})) {
    if (about.fault) told.push(`${task}: the ${s.scale} is ${about.fault === "small" ? "hardly better" : "worse"} than random play, scores relative to it mean little.`);
  }
  const here = BOARD.entries.filter((e) => s && e.suites[s.name]), old = here.filter((e) => e.claimed).length, out = here.filter((e) => e.suites[s.name].unranked).length;
  if (old) told.push(`${old === here.length ? "all" : old} entries: scores before the end are their authors' claims, only the last students were played.`);
  if (out) told.push(`${out} entries have no place, shown as –: point at it for the reason.`);
  if (BOARD.claims.length) told.push(`${BOARD.claims.length} runs are claims that nobody has checked: they have no score.`);
  if (BOARD.apart.length) told.push(`${BOARD.apart.length} runs are of tasks that no suite has: they are on no scale.`);
  $("notes").replaceChildren(...told.slice(0, 4).map((text) => el("span", { class: "warn" }, `⚠ ${text} `)), told.length > 4 ? `and ${told.length - 4} more.` : "");
}

const loaded = {}; // details of entries, each a script of its own: pages from disk cannot fetch
window.DETAIL = (id, detail) => { loaded[id] = detail; };
function curves(ids, s, axis) {
  const paint = () => {
    const task = $("task").value, there = ids.filter((id) => loaded[id] && s && loaded[id].suites[s.name]);
    const of = (id) => { const d = loaded[id].suites[s.name]; return task ? d.tasks[task] : d.all; };
    lines(document.querySelector("#curves .chart"), s ? s.grid[axis] : [0], there.filter((id) => of(id)).map((id) => ({ name: label(id), values: of(id)[axis] })), { xlabel: UNITS[axis], log: true });
    lines(document.querySelector("#profiles .chart"), BOARD.thresholds, there.map((id) => ({ name: label(id), values: loaded[id].suites[s.name].profile })), { xlabel: "score", ylabel: "share of runs above" });
  };
  const wanted = ids.filter((id) => !loaded[id]);
  let left = wanted.length;
  const done = () => { left -= 1; if (left <= 0) paint(); };
  for (const id of wanted) document.head.append(el("script", { src: `entries/${encodeURIComponent(id)}.js`, onload: done, onerror: done }));
  if (!left) paint();
}

function front() {
  const s = suite(), task = $("front-task").value, axis = $("axis").value;
  const steps = s && s.fronts[task] ? s.fronts[task][axis][$("front-side").value] : [], until = +$("front-time").value;
  scatter(document.querySelector("#front .chart"), steps.slice(0, until), { xlabel: UNITS[axis], name: label, go: link });
  const when = steps[until - 1] && BOARD.entries.find((e) => e.id === steps[until - 1][0]);
  $("front-when").textContent = when ? `${until} of ${steps.length}, ${(when.accepted || when.submitted).slice(0, 10)}` : `${until} of ${steps.length}`;
  $("front-list").replaceChildren(...steps.slice(0, until).filter((x) => x[4]).slice(-12).map((x) => el("li", {}, el("a", { href: link(x[0]) }, label(x[0])), ` to ${score(x[2])} for ${short(x[1])} ${UNITS[axis]}${x[5] === null ? "" : `, gain ${x[5].toFixed(3)}, volume ${x[6].toFixed(3)}`}`)));
}

function fronts() {
  const s = suite(), tasks = s ? Object.keys(s.tasks) : [];
  fill($("front-task"), tasks.map((t) => [t, t]), $("task").value || $("front-task").value);
  const steps = s && s.fronts[$("front-task").value] ? s.fronts[$("front-task").value][$("axis").value][$("front-side").value] : [];
  $("front-time").max = steps.length; $("front-time").value = steps.length;
  front();
}

function tree(run) {
  const list = $("lineage-run");
  if (run && ![...list.options].some((one) => one.value === run)) list.append(el("option", { value: run }, `${label(BOARD.lineage[run].entry)}: ${BOARD.lineage[run].task}, seed ${BOARD.lineage[run].seed}`));
  if (run) list.value = run;
  lineage($("tree"), $("edge"), BOARD.lineage, $("lineage-run").value, { entry: link, choose: tree });
}

function runs() { // the best entry's runs first, the deepest lineages first of all
  const rank = Object.fromEntries(rows()[0].map((r, n) => [r.e.id, n])), of = BOARD.lineage;
  const known = Object.keys(of).filter((id) => of[id].entry in rank);
  known.sort((a, b) => rank[of[a].entry] - rank[of[b].entry] || (a < b ? -1 : 1));
  fill($("lineage-run"), known.slice(0, 500).map((id) => [id, `${label(of[id].entry)}: ${of[id].task}, seed ${of[id].seed}`]), $("lineage-run").value);
  tree();
}

function budgets() {
  const s = suite(), axis = $("axis").value;
  fill($("level"), [["-1", "to the end"], ...(s ? s.levels[axis].map((point, n) => [String(n), `${short(s.grid[axis][point])} ${UNITS[axis]}`]) : [])], $("level").value);
}

function tasks() {
  const s = suite();
  fill($("task"), [["", "all together"], ...(s ? Object.keys(s.tasks).map((t) => [t, t]) : [])], $("task").value);
  fill($("baseline"), s ? s.baselines.map((id) => [id, label(id)]) : [], $("baseline").value);
}

function remember() {
  const kept = new URLSearchParams(["suite", "task", "axis", "level", "track", "state", "filter"].filter((id) => $(id).value && !($(id).value === "-1")).map((id) => [id, $(id).value]));
  kept.set("sort", view.sort + (view.down ? "" : "-up"));
  try { history.replaceState(null, "", `?${kept}${location.hash}`); } catch { /* some browsers keep pages from disk as they are */ }
}

function begin() {
  theme();
  fill($("suite"), BOARD.suites.map((s) => [s.name, s.name.replace(/^all(-human)?$/, "") === "" ? `all tasks${s.scale === "human" ? ", human-normalised" : ""}` : `${s.name} v${s.version}`.replace(/^(.*)-human v/, "$1, human-normalised, v")]), asked.get("suite"));
  fill($("axis"), BOARD.axes.map((a) => [a, UNITS[a]]), asked.get("axis"));
  fill($("state"), [["", "all"], ...["promoted", "re-trained", "re-scored", "self-reported", "revoked"].map((x) => [x, x])], asked.get("state"));
  if (asked.get("sort")) { view.sort = asked.get("sort").replace(/-up$/, ""); view.down = !asked.get("sort").endsWith("-up"); }
  tasks(); budgets();
  for (const id of ["task", "level", "track", "filter"]) if (asked.get(id)) $(id).value = asked.get(id);
  const change = (id, ...then) => $(id).addEventListener(id === "filter" || id === "front-time" ? "input" : "change", () => { view.page = 0; then.forEach((f) => f()); });
  change("suite", tasks, budgets, draw, fronts, runs); change("axis", budgets, draw, fronts);
  for (const id of ["level", "baseline", "track", "state", "filter"]) change(id, draw);
  change("task", draw, fronts); change("front-task", () => { $("front-time").max = 1e9; }, frontsKeep); change("front-side", frontsKeep); change("front-time", front);
  $("lineage-run").addEventListener("change", () => tree());
  matchMedia("(max-width: 639px)").addEventListener("change", () => { draw(); front(); }); // charts have another shape on a phone
  for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
  if (BOARD.faults.length) { $("faults").hidden = false; $("faults").querySelector("ul").append(...BOARD.faults.slice(0, 100).map((text) => el("li", {}, text))); }
  draw(); fronts(); runs();
}

function frontsKeep() {
  const s = suite(), steps = s && s.fronts[$("front-task").value] ? s.fronts[$("front-task").value][$("axis").value][$("front-side").value] : [];
  $("front-time").max = steps.length; $("front-time").value = steps.length;
  front();
}
begin();
