// The page of one entry: its description, curves, costs, commands to repeat it, and the maintainers' findings.
"use strict";
const $ = (id) => document.getElementById(id);
const pairs = (list) => list.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]);
const amounts = (costs, less) =>
  Object.entries(costs).map(([unit, x]) => `${less ? "≥ " : ""}${short(x)} ${UNITS[unit] || unit}`).join(", ");

globalThis.DETAIL = (id, detail) => {
  const e = BOARD.entries.find((one) => one.id === id), suites = BOARD.suites.filter((s) => detail.suites[s.name]);
  theme();
  $("about").append(
    el("span", { class: `badge ${e.state}` }, e.state),
    ` ${e.track} track, ${e.runs} ${e.runs === 1 ? "run" : "runs"} by ${e.author}${
      detail.about ? `: ${detail.about}` : ""
    }`,
  );
  if (e.tainted.length) {
    $("about").append(el("strong", { class: "warn" }, ` ⚠ descends from revoked ${e.tainted.join(", ")}`));
  }
  if (e.gone.length) {
    $("about").append(
      el("strong", { class: "warn" }, ` ⚠ not on the hub any more: the students of ${e.gone.join(", ")}`),
    );
  }
  $("built").textContent = `Built on ${BOARD.about.built}${
    BOARD.about.commit ? ` from commit ${BOARD.about.commit.slice(0, 12)}` : ""
  }.`;
  method(e);
  facts(e, suites);
  drawing(e, detail, suites);
  table(detail);
  $("reports").append(...detail.runs.map((r) => report(r, detail.runs.length === 1)));
  const open = () => {
    const one = location.hash.startsWith("#report-") && $(location.hash.slice(1));
    if (one) {
      one.open = true;
      one.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
};

function method(e) {
  const reuse = e.reuses === "nothing"
    ? "It is given no prior computation."
    : `It is given a ${e.reuses.replace("and log", "and a log")}${
      { weights: ", and starts from the teacher's weights", labels: ", and asks the teacher for its answers" }[
        e.transfers
      ] || ""
    }.`;
  for (const name of e.methods) {
    $("method").append(
      el(
        "p",
        { class: "method" },
        el("strong", {}, name),
        `: ${BOARD.about.methods[name] || "nothing here says what this method does; its author may."}`,
      ),
    );
  }
  $("method").append(el("p", {}, reuse));
}

function facts(e, suites) {
  $("facts").append(...pairs([
    ["Network", e.networks.join(", ")],
    ...suites.map((
      s,
    ) => [
      `Score in ${s.name}`,
      `IQM ${interval(e.suites[s.name].end.iqm)}, median ${
        interval(e.suites[s.name].end.median)
      }, above the ${s.scale} ${interval(e.suites[s.name].end.above)}${
        e.suites[s.name].missing.length ? `; missing: ${e.suites[s.name].missing.join(", ")}` : ""
      }`,
    ]),
    ["Own cost of a run, mean", amounts(e.cost.marginal)],
    ["Whose word the cost is", e.cost_badge],
    ["With all ancestors", amounts(e.cost.full, e.unpriced.length)],
    ["Ancestors shared out", amounts(e.cost.shared)],
    ...(e.unpriced.length ? [["Unpriced ancestors", e.unpriced.join(", ")]] : []),
  ]));
}

function drawing(e, detail, suites) {
  fill($("suite"), suites.map((s) => [s.name, s.name]));
  fill($("axis"), BOARD.axes.map((a) => [a, UNITS[a]]));
  const draw = () => {
    const s = suites.find((one) => one.name === $("suite").value), axis = $("axis").value, task = $("task").value;
    const row = s && e.suites[s.name], of = s && (task ? detail.suites[s.name].tasks[task] : row.line);
    const base = s && !task && s.baselines[0] !== e.id && BOARD.entries.find((one) => one.id === s.baselines[0]);
    const series = of ? [{ name: e.entry, ...of[axis] }] : [];
    if (series.length && base && base.suites[s.name].line) {
      series.push({ name: base.entry, base: true, ...base.suites[s.name].line[axis] });
    }
    document.querySelector("#curves .hint").textContent = of
      ? `${task ? "Mean" : "IQM"} with its 95 % band${
        series.length > 1 ? `; in grey ${base.entry}, for comparison` : ""
      }.`
      : "Its runs were not evaluated equally often, so there is no curve over all of them.";
    curves(document.querySelector("#curves .chart"), series, { xlabel: UNITS[axis], oneName: s ? s.scale : "teacher" });
  };
  const tasks = () => {
    const s = suites.find((one) => one.name === $("suite").value);
    fill($("task"), [["", "all together"], ...Object.keys(s ? detail.suites[s.name].tasks : {}).map((t) => [t, t])]);
    draw();
  };
  $("suite").addEventListener("change", tasks);
  $("task").addEventListener("change", draw);
  $("axis").addEventListener("change", draw);
  tasks();
}

const GOOD = "Time in the goal (TWR50)"; // of tasks that report it

// [title, cell, class]; "wide" columns are hidden on phones
const COLUMNS = [
  ["Task", (r) => el("a", { href: `#report-${r.run}` }, r.task)],
  ["Seed", (r) => r.seed],
  ["Return, re-scored", (r) => r.rescored ? [mean(r.rescored[0]), el("small", {}, `${r.rescored[1]} episodes`)] : "–"],
  ["Return, claimed", (r) => mean(r.claimed)],
  [GOOD, (r) => r.good === null ? "–" : `${(100 * r.good).toFixed(1)} %`],
  ["Badge", (r) => el("span", { class: `badge ${r.state}` }, r.state), "wide"],
  ["Own FLOPs", (r) => short(r.costs.marginal.flops || 0), "wide"],
  ["FLOPs with ancestors", (r) => `${r.unpriced.length ? "≥ " : ""}${short(r.costs.full.flops || 0)}`, "wide"],
  ["Run", (r) => r.run, "wide"],
];

function table(detail) {
  const columns = COLUMNS.filter(([title]) => title !== GOOD || detail.runs.some((r) => r.good !== null));
  $("runs").tHead.append(
    el("tr", {}, columns.map(([title, , name]) => el("th", { scope: "col", class: name || null }, title))),
  );
  $("runs").tBodies[0].append(
    ...detail.runs.map((r) =>
      el("tr", { id: `run-${r.run}` }, columns.map(([, cell, name]) => el("td", { class: name || null }, cell(r))))
    ),
  );
}

function report(r, open) {
  const command = el("pre", {}, r.command),
    files = Object.entries(r.files).map(([name, address]) =>
      el(
        "a",
        { href: address, rel: "noopener" },
        name === "replay.mp4" ? "film of an episode" : name === "policy.safetensors" ? "weights" : name,
      )
    );
  const there = files.flatMap((file, n) => [n ? ", " : "", file]);
  const made = el(
    "details",
    { id: `report-${r.run}`, ...(open ? { open: "" } : {}) },
    el("summary", {}, `${r.task}, seed ${r.seed}, run ${r.run}: ${r.state}`),
    el("div", { class: "words" }, r.verdict.map((text) => el("p", {}, text))),
    el(
      "p",
      {},
      `To train it again from the same commits${r.code ? `; the suite itself was then at commit ${r.code}` : ""}:`,
    ),
    command,
    el(
      "dl",
      {},
      pairs([
        ["Student", r.student],
        ["Published", there.length ? there : "not published, as far as this page knows"],
        ["Parents", r.parents.join(", ") || "none"],
        ["Spent", amounts(r.spent)],
        ["Budget", amounts(r.budget)],
        ["With ancestors", (r.unpriced.length ? "at least " : "") + amounts(r.costs.full)],
        ["Ledger's last line", r.ledger],
        ["Submitted", r.submitted],
      ]),
    ),
  );
  copied(command);
  return made;
}
