// The page of the board. The selection is kept in the address, so that a view can be shared.
"use strict";
const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
const view = { sort: "score", down: true, page: 0 };
const PAGE = 40, DRAWN = 6, NEAR = 1.05; // costs that differ by less look equal
const suite = () => BOARD.suites.find((s) => s.name === $("suite").value);
const scaled = () => (suite() ? suite().scale : "teacher");
const link = (id) => `entries/${encodeURIComponent(id)}.html`;
const alone = new Set(BOARD.entries.map((e) => e.author)).size < 2; // then authors are not shown
const label = (id) => id.split("~").slice(alone ? 1 : 0, 2).join(" / ");

function rows() {
  const s = suite(),
    task = $("task").value,
    words = $("filter").value.toLowerCase().split(/\s+/),
    rival = $("baseline").value;
  const found = [];
  for (const e of BOARD.entries) {
    const of = s && e.suites[s.name];
    if (
      !of || (task && !of.tasks[task]) || ($("track").value && e.track !== $("track").value) ||
      ($("state").value && e.state !== $("state").value)
    ) continue;
    const text = `${e.entry} ${e.author} ${e.methods.join(" ")} ${
      e.networks.join(" ")
    } ${e.track} ${e.state} ${e.reuses}`.toLowerCase();
    if (words.every((word) => text.includes(word))) found.push({ e, s: of, t: of.tasks[task], rival });
  }
  const make = task ? columnsOfTask : columnsOf,
    all = make(s, $("axis").value, $("unit").value, rival && label(rival), found.some((r) => r.e.checked));
  const same = (column) => new Set(found.map(column[3])).size < 2 && found.length > 1;
  const shown = (c) =>
    c[5] === "always" || $("more").checked || (c[5] === "wide" && !narrow()) ||
    (c[5] === "differs" && !narrow() && !same(c));
  const by = (all.find((c) => c[0] === view.sort) || all.find((c) => c[0] === "score") || all[0])[3];
  found.sort((a, b) => {
    const [x, y] = [by(a), by(b)], off = !!a.s.unranked - !!b.s.unranked;
    return off || (x < y ? -1 : x > y ? 1 : 0) * (view.down ? -1 : 1) || (a.e.id < b.e.id ? -1 : 1);
  });
  return [found, all.filter(shown)];
}

function draw() {
  const [found, columns] = rows(), s = suite();
  view.page = Math.min(view.page, Math.max(0, Math.ceil(found.length / PAGE) - 1));
  const start = view.page * PAGE;
  $("rows").tHead.replaceChildren(el("tr", {}, el("th", { scope: "col" }, "#"), columns.map(head)));
  $("rows").tBodies[0].replaceChildren(
    ...found.slice(start, start + PAGE).map((r, n) =>
      el(
        "tr",
        { "data-id": r.e.id, class: r.e.id === $("baseline").value ? "base" : null },
        el("td", {
          title: r.s.unranked || (r.s.beats_next == null ? "" : `beats the next with probability ${r.s.beats_next}`),
        }, r.s.unranked ? "–" : start + n + 1),
        columns.map((c) => c[4](r)),
      )
    ),
  );
  const turn = (by, text, off) =>
    el("button", {
      type: "button",
      onclick: () => {
        view.page += by;
        draw();
      },
      ...(off ? { disabled: "" } : {}),
    }, text);
  $("pager").replaceChildren(
    ...(found.length > PAGE
      ? [
        turn(-1, "‹ before", !view.page),
        ` ${start + 1}–${Math.min(start + PAGE, found.length)} of ${found.length} `,
        turn(1, "next ›", start + PAGE >= found.length),
      ]
      : [
        found.length
          ? `${found.length} ${found.length === 1 ? "entry" : "entries"}`
          : BOARD.entries.length
          ? "Nothing fits the filter."
          : "No entry yet: be the first with reincarnate submit.",
      ]),
  );
  $("common").textContent = common(found, columns);
  notes(s);
  pictures(found, found.slice(start, start + DRAWN).map((r) => r.e.id));
  remember();
}

function head([key, title, about]) {
  const sort = () => {
    view.down = view.sort === key ? !view.down : !["entry", "author", "own", "full", "reach", "gap"].includes(key);
    view.sort = key;
    view.page = 0;
    draw();
    $("rows").querySelector(`[data-key=${key}]`).focus();
  };
  const button = el("button", { type: "button", "data-key": key, onclick: sort, "aria-description": about }, title);
  tipped(button, about);
  return el(
    "th",
    { scope: "col", "aria-sort": view.sort === key ? (view.down ? "descending" : "ascending") : "none" },
    button,
  );
}

function common(found, columns) {
  const there = new Set(columns.map((c) => c[0])), told = [];
  if (found.length > 1 && !there.has("author") && new Set(found.map((r) => r.e.author)).size === 1) {
    told.push(`all by ${found[0].e.author}`);
  }
  if (found.length > 1 && !there.has("state") && new Set(found.map((r) => r.e.state)).size === 1) {
    told.push(`all ${found[0].e.state}`);
  }
  if (found.length && !found.some((r) => r.e.checked)) {
    told.push("own costs are the authors' ledgers: nobody has trained a run of these again");
  }
  return told.length ? `${told.join(", ")}.`.replace(/^./, (first) => first.toUpperCase()) : "";
}

function notes(s) {
  const told = [];
  if (s && s.scale === "human") {
    told.push("here a human tester is at 1, not the teacher: Mnih et al. (2015), without sticky actions.");
  }
  for (const [task, about] of Object.entries(s ? s.tasks : {})) {
    if (about.fault) {
      told.push(
        `${task}: the ${s.scale} is ${
          about.fault === "small" ? "hardly better" : "worse"
        } than random play, scores relative to it mean little.`,
      );
    }
  }
  const here = BOARD.entries.filter((e) => s && e.suites[s.name]),
    old = here.filter((e) => e.claimed).length,
    out = here.filter((e) => e.suites[s.name].unranked).length;
  if (old) {
    told.push(
      `${
        old === here.length ? "All" : old
      } entries: scores before the end are their authors' claims, only the last students were played.`,
    );
  }
  if (out) told.push(`${out} entries have no place, shown as –: point at it for the reason.`);
  if (BOARD.claims.length) {
    told.push(`${BOARD.claims.length} runs are claims that nobody has checked: they have no score.`);
  }
  if (BOARD.apart.length) told.push(`${BOARD.apart.length} runs are of tasks that no suite has: they are on no scale.`);
  $("notes").replaceChildren(
    ...told.slice(0, 4).map((text) => el("span", { class: "warn" }, `⚠ ${text} `)),
    told.length > 4 ? `and ${told.length - 4} more.` : "",
  );
}

const loaded = {}; // details of entries; each is a script, since pages opened from disk cannot fetch
globalThis.DETAIL = (id, detail) => {
  loaded[id] = detail;
};

function pictures(found, first) {
  const s = suite(), base = $("baseline").value, ids = first.includes(base) || !base ? first : [...first, base];
  const paint = () => {
    lines(ids, s, base);
    profile(ids, s, base);
  };
  const hint = (id, text) => {
    document.querySelector(`#${id} .hint`).textContent = text;
  };
  const rest = base && !first.includes(base) ? `, and ${label(base)}, which all are compared with` : "";
  hint(
    "curves",
    `The first ${first.length} rows of the table${rest}: IQM with 95 % bands, at the evaluations that were planned. Use the arrow keys to read values.`,
  );
  hint(
    "intervals",
    `${found.length} entries at the end of their budgets, best first, with 95 % intervals; the upright line is ${
      base ? label(base) : "the baseline"
    }.`,
  );
  hint(
    "heat",
    `Mean score at the end of the budget: the fuller the colour, the nearer to the ${scaled()} (1); outlined if above.`,
  );
  hint("profiles", `Share of all runs above each score; 1 is the ${scaled()}. The same entries as in the curves.`);
  const ranked = [...found].sort((a, b) => value(b.s.end.iqm) - value(a.s.end.iqm));
  intervals(
    document.querySelector("#intervals .chart"),
    ranked.map((r) => ({
      id: r.e.id,
      name: label(r.e.id),
      value: $("task").value ? r.t.score : r.s.end.iqm,
      transfers: r.e.transfers,
    })).sort((a, b) => b.value[0] - a.value[0]),
    { go: link, base, oneName: scaled() },
  );
  heat(document.querySelector("#heat table"), ranked, s);
  const wanted = ids.filter((id) => !loaded[id]);
  let left = wanted.length;
  const done = () => {
    left -= 1;
    if (left <= 0) paint();
  };
  for (const id of wanted) {
    document.head.append(el("script", { src: `entries/${encodeURIComponent(id)}.js`, onload: done, onerror: done }));
  }
  if (!left) paint();
}

function lines(ids, s, base) {
  const axis = $("axis").value, task = $("task").value;
  const of = (id) => {
    if (!s) return null;
    const row = BOARD.entries.find((e) => e.id === id).suites[s.name];
    if (task) return loaded[id] && loaded[id].suites[s.name].tasks[task];
    return row.line ||
      {
        [axis]: {
          x: s.levels[axis].map((point) => s.grid[axis][point]),
          y: [0, 1, 2].map((n) => row.levels[axis].map((level) => level.iqm[n] ?? level.iqm[0])),
        },
      };
  };
  const series = ids.map((id) => [id, of(id)]).filter(([, found]) => found).map(([id, found]) => ({
    name: label(id),
    base: id === base,
    ...found[axis],
  }));
  curves(document.querySelector("#curves .chart"), series, { xlabel: UNITS[axis], oneName: scaled() });
}

function profile(ids, s, base) {
  const there = ids.filter((id) => s && loaded[id] && loaded[id].suites[s.name]);
  curves(
    document.querySelector("#profiles .chart"),
    there.map((id) => ({
      name: label(id),
      base: id === base,
      x: BOARD.thresholds,
      y: loaded[id].suites[s.name].profile,
    })),
    { xlabel: "score", ylabel: "share of runs above", one: null, step: true, dots: false },
  );
}

function transferred(id) {
  const e = BOARD.entries.find((one) => one.id === id);
  return e ? e.transfers : "";
}

// The fronts of one task with its history, or of all tasks with entries at their current mean costs.
function fronts() {
  const s = suite(),
    task = $("front-task").value,
    unit = $("unit").value,
    side = $("front-side").value,
    host = document.querySelector("#front .chart");
  $("front-until").hidden = !task;
  $("front-list").replaceChildren();
  const told = (name, x, y, more) => `${name}\nscore ${score(y)}, ${short(x)} ${UNITS[unit]}${more}`;
  const hint = document.querySelector("#front .hint");
  if (!task) {
    const points = BOARD.entries.filter((e) =>
      s && e.suites[s.name] && !e.suites[s.name].unranked && !(side === "full" && e.unpriced.length)
    ).map((e) => ({
      id: e.id,
      name: label(e.id),
      cost: e.cost[side][unit],
      score: e.suites[s.name].end.iqm[0],
      transfers: e.transfers,
    }));
    points.sort((a, b) => a.cost - b.cost || b.score - a.score);
    for (const p of points) {
      p.on = !points.some((q) => q.score > p.score && q.cost <= p.cost * NEAR);
      p.text = told(p.name, p.cost, p.score, p.on ? "\nnobody has more for as little" : "");
    }
    hint.textContent = `All tasks together: the line is the best IQM that anybody reached for a cost in ${UNITS[unit]}${
      side === "full" ? ", with all ancestors" : ""
    }. To the left and above is better.`;
    return front(host, points, { xlabel: UNITS[unit], go: link, oneName: scaled() });
  }
  const steps = s && s.fronts[task] ? s.fronts[task][unit][side] : [],
    until = +$("front-time").value,
    shown = steps.slice(0, until);
  hint.textContent =
    `${task}: the line is made by entries that advanced the front when they were accepted; the slider goes back in time.`;
  const when = steps[until - 1] && BOARD.entries.find((e) => e.id === steps[until - 1][0]);
  $("front-when").textContent = when
    ? `${until} of ${steps.length}, ${(when.accepted || when.submitted).slice(0, 10)}`
    : `${until} of ${steps.length}`;
  let best = -Infinity;
  const points = shown.map((x) => ({
    id: x[0],
    name: label(x[0]),
    cost: x[1],
    score: x[2],
    advances: !!x[4],
    transfers: transferred(x[0]),
    text: told(
      label(x[0]),
      x[1],
      x[2],
      x[4]
        ? `\nadvanced the front, gain ${x[5] === null ? "not anchored" : x[5].toFixed(3)}`
        : `\ndid not advance it (sure to ${share(x[3])})`,
    ),
  }));
  for (const p of [...points].sort((a, b) => a.cost - b.cost || b.score - a.score)) {
    p.on = p.advances && p.score > best;
    if (p.advances) best = Math.max(best, p.score);
  }
  front(host, points, { xlabel: UNITS[unit], go: link, oneName: scaled() });
  $("front-list").replaceChildren(
    ...shown.filter((x) => x[4]).slice(-12).map((x) =>
      el(
        "li",
        {},
        el("a", { href: link(x[0]) }, label(x[0])),
        ` to ${score(x[2])} for ${short(x[1])} ${UNITS[unit]}${
          x[5] === null ? "" : `, gain ${x[5].toFixed(3)}, volume ${x[6].toFixed(3)}`
        }`,
      )
    ),
  );
}

function ages() {
  const s = suite(),
    task = $("front-task").value,
    steps = s && s.fronts[task] ? s.fronts[task][$("unit").value][$("front-side").value] : [];
  $("front-time").max = steps.length;
  $("front-time").value = steps.length;
  fronts();
}

function frontTasks() {
  fill(
    $("front-task"),
    [["", "all together"], ...Object.keys(suite() ? suite().tasks : {}).map((t) => [t, t])],
    $("task").value || $("front-task").value,
  );
  ages();
}

function tree(run) {
  const list = $("lineage-run");
  if (run && ![...list.options].some((one) => one.value === run)) {
    list.append(
      el(
        "option",
        { value: run },
        `${label(BOARD.lineage[run].entry)}: ${BOARD.lineage[run].task}, seed ${BOARD.lineage[run].seed}`,
      ),
    );
  }
  if (run) list.value = run;
  lineage($("tree"), $("edge"), BOARD.lineage, list.value, { entry: link, choose: tree });
}

function runs() {
  const s = suite(),
    of = BOARD.lineage,
    rank = Object.fromEntries(
      BOARD.entries.map((e) => [e.id, s && e.suites[s.name] ? e.suites[s.name].place || 1e6 : 1e7]),
    );
  const known = Object.keys(of).filter((id) => of[id].entry && s && of[id].task in s.tasks);
  known.sort((a, b) => rank[of[a].entry] - rank[of[b].entry] || (a < b ? -1 : 1));
  fill(
    $("lineage-run"),
    known.slice(0, 500).map((id) => [id, `${label(of[id].entry)}: ${of[id].task}, seed ${of[id].seed}`]),
    $("lineage-run").value,
  );
  tree();
}

function ofSuite() {
  const s = suite();
  fill($("task"), [["", "all together"], ...Object.keys(s ? s.tasks : {}).map((t) => [t, t])], $("task").value);
  fill($("baseline"), s ? s.baselines.map((id) => [id, label(id)]) : [], $("baseline").value);
  $("one").textContent = s && s.scale === "human" ? "a human tester" : "the suite's teacher";
  $("seeds").textContent = s ? s.seeds - 1 : "4";
  part(s);
}

// The commands for taking part, for the selected suite.
function part(s) {
  const task = s ? Object.keys(s.tasks)[0] : "minatar/breakout",
    at = BOARD.about.at,
    run = `runs/${task.split("/")[1]}-0`;
  const lines = [
    `reincarnate leaderboard create ${at}`,
    `reincarnate run --task ${task} --method qdagger --budget steps=100k,flops=1T --seed 0 --out ${run}`,
    `reincarnate submit ${run} --out checked`,
    `reincarnate submit ${run} --at ${at} --hub local --send --out sent`,
  ];
  $("commands").replaceChildren(lines.join("\n"));
  copied($("commands"));
}

function built() {
  const about = BOARD.about;
  const runs = BOARD.entries.reduce((sum, e) => sum + e.runs, 0);
  $("built").textContent = `Built on ${about.built} from ${
    about.commit ? `commit ${about.commit.slice(0, 12)}` : "a folder without commits"
  }: ${BOARD.entries.length} entries, ${runs} runs. Requests go to ${about.at}.`;
  $("built").title = about.commit;
}

function remember() {
  const kept = new URLSearchParams(
    ["suite", "task", "axis", "unit", "track", "state", "filter"].filter((id) => $(id).value).map((
      id,
    ) => [id, $(id).value]),
  );
  kept.set("sort", view.sort + (view.down ? "" : "-up"));
  try {
    history.replaceState(null, "", `?${kept}${location.hash}`);
  } catch { /* some browsers refuse this for pages opened from disk */ }
}

function begin() {
  theme();
  built();
  fill(
    $("suite"),
    BOARD.suites.map((s) => [
      s.name,
      s.name.replace(/^all(-human)?$/, "") === ""
        ? `all tasks${s.scale === "human" ? ", human-normalised" : ""}`
        : `${s.name} v${s.version}`.replace(/^(.*)-human v/, "$1, human-normalised, v"),
    ]),
    asked.get("suite"),
  );
  fill($("axis"), BOARD.axes.map((a) => [a, UNITS[a]]), asked.get("axis"));
  fill($("unit"), BOARD.axes.map((a) => [a, UNITS[a]]), asked.get("unit") || "flops");
  fill($("state"), [["", "all"], ...[...STATES].reverse().map((x) => [x, x])], asked.get("state"));
  if (asked.get("sort")) {
    view.sort = asked.get("sort").replace(/-up$/, "");
    view.down = !asked.get("sort").endsWith("-up");
  }
  ofSuite();
  for (const id of ["task", "track", "filter"]) if (asked.get(id)) $(id).value = asked.get(id);
  const change = (id, ...then) =>
    $(id).addEventListener(id === "filter" || id === "front-time" ? "input" : "change", () => {
      view.page = 0;
      then.forEach((f) => f());
    });
  change("suite", ofSuite, draw, frontTasks, runs);
  change("axis", draw);
  change("unit", draw, ages);
  for (const id of ["baseline", "track", "state", "filter", "more"]) change(id, draw);
  change("task", draw, frontTasks);
  change("front-task", ages);
  change("front-side", ages);
  change("front-time", fronts);
  $("lineage-run").addEventListener("change", () => tree());
  matchMedia("(max-width: 639px)").addEventListener("change", draw); // phones show other columns of the table
  for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
  if (BOARD.faults.length) {
    $("faults").hidden = false;
    $("faults").querySelector("ul").append(...BOARD.faults.slice(0, 100).map((text) => el("li", {}, text)));
  }
  draw();
  frontTasks();
  runs();
}
begin();
