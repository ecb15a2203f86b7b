// The columns of the ranking with title, tooltip, sort key and cell; and the table of tasks.
"use strict";
const value = (x) => (x && x[0] !== null ? x[0] : -Infinity);
const share = (x) => `${Math.round(x * 100)} %`;
const plain = (x) => el("td", { title: x && x.length > 2 ? interval(x) : null }, x ? score(x[0]) : "–");
const percent = (x) => el("td", { title: x && x.length > 2 ? x.map(share).join(" / ") : null }, x ? share(x[0]) : "–");
const reach = (x) =>
  el("td", {}, x ? short(x[0]) : "–", x && x[x.length - 1] ? el("small", {}, ` ${share(x[x.length - 1])} miss`) : null);
const STATES = ["revoked", "self-reported", "re-scored", "re-trained", "promoted"];

// A score with its interval below, compact enough for many columns.
function ranged(x, bar) {
  return el(
    "td",
    { class: "ranged" },
    score(x[0]),
    el("small", {}, x.length > 2 ? `[${score(x[1])}, ${score(x[2])}]` : "one run"),
    bar ? drawnBar(x) : null,
  );
}

function drawnBar(x) {
  const top = 1.5,
    part = (v) => Math.max(0, Math.min(1, v / top)) * 100,
    bar = el("span", { class: "bar", "aria-hidden": "true" });
  const piece = (name, left, width) => {
    const made = el(name);
    made.style.left = `${left}%`;
    if (width !== undefined) made.style.width = `${Math.max(width, 1)}%`;
    bar.append(made);
  };
  piece("u", part(1));
  if (x.length > 2) piece("i", part(x[1]), part(x[2]) - part(x[1]));
  piece("b", part(x[0]));
  return bar;
}

function flags(r) {
  const told = [];
  if (r.s.missing.length) told.push(`no run of ${r.s.missing.join(", ")}: counts as random play`);
  if (r.e.tainted.length) told.push(`descends from revoked ${r.e.tainted.join(", ")}`);
  if (r.e.gone.length) told.push(`the students of ${r.e.gone.join(", ")} are not on the hub any more`);
  const words = [
    r.s.missing.length && `${r.s.missing.length} missing`,
    r.e.tainted.length && "revoked parent",
    r.e.gone.length && `${r.e.gone.length} ${r.e.gone.length === 1 ? "student" : "students"} gone`,
  ].filter(Boolean);
  return told.length
    ? el("span", { class: "warn", title: told.join("; "), "aria-label": told.join("; ") }, ` ⚠ ${words.join(", ")}`)
    : null;
}

const paid = (e, view, unit) =>
  el(
    "td",
    {},
    e.unpriced.length && view === "full"
      ? el("span", { class: "warn", title: `unpriced: ${e.unpriced.join(", ")}` }, "≥ ")
      : null,
    short(e.cost[view][unit]),
  );

// s: the suite, axis: of the budgets, unit: of the costs. [key, title, tooltip, sort key, cell, where: always | wide | more]
function columnsOf(s, axis, unit, rival, checked) {
  const one = s ? s.scale : "teacher", levels = s ? s.levels[axis] : [], last = levels.length - 1;
  const budget = (n) => `${short(s.grid[axis][levels[n]])}`;
  const scores = levels.map((_, n) =>
    n === last
      ? [
        "score",
        "End",
        `Interquartile mean of the scores over all runs and tasks at the end of each entry's own budget, usually ${
          budget(n)
        } ${UNITS[axis]}, with its 95 % interval. It ranks: 0 is random play, 1 the ${one}.`,
        (r) => value(r.s.end.iqm),
        (r) => ranged(r.s.end.iqm, true),
        "always",
      ]
      : [
        `b${n}`,
        budget(n),
        `The same after ${budget(n)} ${UNITS[axis]}${
          n ? "" : ": before the first frame, with what was learned from the teacher and its log alone"
        }.`,
        (r) => value(r.s.levels[axis][n].iqm),
        (r) => ranged(r.s.levels[axis][n].iqm),
        "wide",
      ]
  );
  return [
    [
      "entry",
      "Entry",
      "The label under which its author submitted it, usually the method. It links to the entry's page.",
      (r) => r.e.entry.toLowerCase(),
      (r) => el("td", {}, el("a", { href: link(r.e.id) }, r.e.entry), flags(r)),
      "always",
    ],
    [
      "author",
      "Author",
      "Who handed it in.",
      (r) => r.e.author.toLowerCase(),
      (r) => el("td", {}, r.e.author),
      "differs",
    ],
    [
      "state",
      "Badge",
      "What a maintainer did: re-scored, played its students again; re-trained, also trained a run again; promoted, made a student a teacher.",
      (r) => STATES.indexOf(r.e.state),
      (r) => el("td", {}, el("span", { class: `badge ${r.e.state}` }, r.e.state)),
      "differs",
    ],
    ...scores,
    [
      "area",
      "Good early",
      `Area under the curve: the mean score from 0 to the run's own budget of ${
        UNITS[axis]
      }. Whoever is good early has more of it.`,
      (r) => value(r.s.area[axis]),
      (r) => plain(r.s.area[axis]),
      "always",
    ],
    [
      "own",
      `Own cost, ${UNITS[unit]}`,
      `What one run of it spent itself, without its ancestors: the mean over its runs, in ${
        UNITS[unit]
      }. Only the author's ledger states it until a maintainer has trained a run again.`,
      (r) => r.e.cost.marginal[unit],
      (r) =>
        el(
          "td",
          {},
          short(r.e.cost.marginal[unit]),
          r.e.checked
            ? el("small", { class: "cost", title: r.e.cost_badge }, ` checked ${r.e.checked}/${r.e.runs}`)
            : checked
            ? el("small", { class: "cost", title: r.e.cost_badge }, " self-reported")
            : null,
        ),
      "wide",
    ],
    [
      "full",
      `Full cost, ${UNITS[unit]}`,
      `The same with its teacher, its log and all that these were made from, each training counted once, in ${
        UNITS[unit]
      }. ≥: something in it has no price.`,
      (r) => r.e.cost.full[unit],
      (r) => paid(r.e, "full", unit),
      "always",
    ],
    [
      "better",
      `Beats ${rival || "baseline"}`,
      "Probability that one of its runs beats a run of the entry chosen above on the same task.",
      (r) => value(r.s.better[r.rival]),
      (r) => percent(r.s.better[r.rival]),
      "wide",
    ],
    [
      "gain",
      "Improvement",
      "What the entry added to the front of score against full cost of all entries before it; an author's entries accepted on one day are judged together, without an order.",
      (r) => r.s.gain ?? -1,
      (r) => el("td", {}, r.s.gain === null ? "–" : r.s.gain.toFixed(3)),
      "more",
    ],
    [
      "above",
      `Above ${one}`,
      `Share of its runs with more than the ${one}'s score.`,
      (r) => value(r.s.end.above),
      (r) => percent(r.s.end.above),
      "more",
    ],
    [
      "reach",
      `Cost to ${one}, ${UNITS[axis]}`,
      `Median of what its runs had spent when they first reached the ${one}, and the share of runs that never did.`,
      (r) => (r.s.reach[axis] && r.s.reach[axis][0] !== null ? r.s.reach[axis][0] : Infinity),
      (r) => reach(r.s.reach[axis]),
      "more",
    ],
    [
      "mean",
      "Mean",
      "Mean over tasks of the mean score of their runs.",
      (r) => value(r.s.end.mean),
      (r) => plain(r.s.end.mean),
      "more",
    ],
    [
      "median",
      "Median",
      "Median over tasks of the mean score of their runs.",
      (r) => value(r.s.end.median),
      (r) => plain(r.s.end.median),
      "more",
    ],
    [
      "gap",
      "Optimality gap",
      `By how much scores fall short of the ${one} on average; higher scores count as 1.`,
      (r) => value(r.s.end.optimality_gap),
      (r) => plain(r.s.end.optimality_gap),
      "more",
    ],
  ];
}

function columnsOfTask(s, axis, unit, rival) {
  const first = columnsOf(s, axis, unit, rival).slice(0, 3);
  return first.concat([
    [
      "score",
      "Score (mean)",
      "Mean score of its runs on this task at the end of the budget, with its 95 % interval.",
      (r) => value(r.t.score),
      (r) => ranged(r.t.score, true),
      "always",
    ],
    [
      "return",
      "Return",
      "Mean return of whole, unclipped episodes at the end of the budget.",
      (r) => r.t.return,
      (r) => el("td", {}, short(r.t.return)),
      "always",
    ],
    ["runs", "Runs", "Number of its runs on this task.", (r) => r.t.runs, (r) => el("td", {}, r.t.runs), "wide"],
    [
      "full",
      "Full cost, FLOPs",
      "What one run on this task spent, with all its ancestors.",
      (r) => r.t.flops,
      (r) => el("td", {}, short(r.t.flops)),
      "wide",
    ],
  ]);
}

// A cell for each task and entry, with the score as colour and number.
function heat(host, found, s) {
  const tasks = s ? Object.keys(s.tasks) : [], name = (task) => task.replace(/^[^/]*\//, "").replaceAll("_", " ");
  host.tHead.replaceChildren(
    el(
      "tr",
      {},
      el("th", { scope: "col" }, "Entry"),
      tasks.map((task) => el("th", { scope: "col", title: task }, name(task))),
    ),
  );
  host.tBodies[0].replaceChildren(
    ...found.map((r) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, el("a", { href: link(r.e.id) }, r.e.entry)),
        tasks.map((task) => {
          const of = r.s.tasks[task];
          if (!of) return el("td", { class: "none" }, "–");
          const made = el(
            "td",
            { title: `${r.e.entry} on ${task}: ${interval(of.score)}, return ${short(of.return)}` },
            score(of.score[0]),
          );
          made.style.setProperty("--share", `${Math.max(0, Math.min(1, of.score[0])) * 100}%`);
          if (of.score[0] > 1) made.classList.add("over");
          return made;
        }),
      )
    ),
  );
}
