// The page of one entry: its curves, what it cost, and what the maintainers found.
"use strict";
const $ = (id) => document.getElementById(id);
window.DETAIL = (id, detail) => {
  const e = BOARD.entries.find((one) => one.id === id), suites = BOARD.suites.filter((s) => detail.suites[s.name]);
  const pairs = (list) => list.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]);
  const sums = (costs) => Object.entries(costs).map(([unit, x]) => `${x.toLocaleString("en")} ${unit}`).join(", ");
  theme();
  $("about").append(el("span", { class: `badge ${e.state}` }, e.state), ` ${e.track} track, ${e.runs} ${e.runs === 1 ? "run" : "runs"} by ${e.author}${detail.about ? `: ${detail.about}` : ""}`);
  if (e.tainted.length) $("about").append(el("strong", { class: "warn" }, ` ⚠ descends from revoked ${e.tainted.join(", ")}`));
  if (e.gone.length) $("about").append(el("strong", { class: "warn" }, ` ⚠ not on the hub any more: the students of ${e.gone.join(", ")}`));
  $("facts").append(...pairs([
    ["Method", e.methods.join(", ")], ["Network", e.networks.join(", ")],
    ["Own cost, mean", Object.entries(e.cost.marginal).map(([u, x]) => `${short(x)} ${UNITS[u]}`).join(", ")], ["Whose word the cost is", e.cost_badge],
    ["With all ancestors", Object.entries(e.cost.full).map(([u, x]) => `${e.unpriced.length ? "≥ " : ""}${short(x)} ${UNITS[u]}`).join(", ")],
    ["Ancestors shared out", Object.entries(e.cost.shared).map(([u, x]) => `${short(x)} ${UNITS[u]}`).join(", ")],
    ...(e.unpriced.length ? [["Unpriced ancestors", e.unpriced.join(", ")]] : []),
    ...suites.map((s) => [`Score in ${s.name}`, `IQM ${interval(e.suites[s.name].end.iqm)}, median ${interval(e.suites[s.name].end.median)}, above the ${s.scale} ${interval(e.suites[s.name].end.above)}${e.suites[s.name].missing.length ? `; missing: ${e.suites[s.name].missing.join(", ")}` : ""}`]),
  ]));
  fill($("suite"), suites.map((s) => [s.name, s.name])); fill($("axis"), BOARD.axes.map((a) => [a, UNITS[a]]));
  const draw = () => {
    const s = suites.find((one) => one.name === $("suite").value), of = s && detail.suites[s.name];
    const line = of && ($("task").value ? of.tasks[$("task").value] : of.all);
    lines(document.querySelector("#curves .chart"), s ? s.grid[$("axis").value] : [0], line ? [{ name: e.entry, values: line[$("axis").value] }] : [], { xlabel: UNITS[$("axis").value], log: true });
  };
  const tasks = () => { const s = suites.find((one) => one.name === $("suite").value); fill($("task"), [["", "all together"], ...Object.keys(s ? detail.suites[s.name].tasks : {}).map((t) => [t, t])]); draw(); };
  $("suite").addEventListener("change", tasks); $("task").addEventListener("change", draw); $("axis").addEventListener("change", draw);
  matchMedia("(max-width: 639px)").addEventListener("change", draw);
  tasks();
  $("runs").tHead.append(el("tr", {}, ["Run", "Task", "Seed", "Badge", "Claimed", "Re-scored", "Acts like its teacher", "Own FLOPs", "FLOPs with ancestors"].map((t) => el("th", { scope: "col" }, t))));
  $("runs").tBodies[0].append(...detail.runs.map((r) => el("tr", { id: `run-${r.run}` }, [el("a", { href: `#report-${r.run}` }, r.run), r.task, r.seed, el("span", { class: `badge ${r.state}` }, r.state), short(r.claimed), r.rescored ? `${short(r.rescored[0])} over ${r.rescored[1]} episodes` : "–", r.agreement === null ? "–" : `${Math.round(r.agreement * 100)} %`, (r.costs.marginal.flops || 0).toLocaleString("en"), `${r.unpriced.length ? "≥ " : ""}${(r.costs.full.flops || 0).toLocaleString("en")}`].map((x) => el("td", {}, x)))));
  const refer = (text) => { const m = /^([\w.-]+\/[\w.-]+)@([0-9a-f]{40})$/.exec(text); return m && detail.hub ? el("a", { href: `${detail.hub}/${m[1]}/tree/${m[2]}`, rel: "noopener" }, text) : text; };
  const video = (text) => { const m = /^([\w.-]+\/[\w.-]+)@([0-9a-f]{40})$/.exec(text); return m && detail.hub ? el("a", { href: `${detail.hub}/${m[1]}/resolve/${m[2]}/replay.mp4`, rel: "noopener" }, "replay.mp4 of its repository") : "in the student's repository"; };
  $("reports").append(...detail.runs.map((r) => el("details", { id: `report-${r.run}`, ...(detail.runs.length === 1 ? { open: "" } : {}) }, el("summary", {}, `${r.task}, seed ${r.seed}, run ${r.run}: ${r.state}`),
    el("dl", {}, pairs([["Student and card", refer(r.student)], ["Video", video(r.student)], ["Parents", r.parents.length ? r.parents.flatMap((p, n) => [n ? ", " : "", refer(p)]) : "none"], ["Spent", sums(r.spent)], ["Budget", sums(r.budget)], ["With ancestors", (r.unpriced.length ? "at least " : "") + sums(r.costs.full)], ["Ledger's last line", r.ledger], ["Submitted", r.submitted], ["Verdict", r.state + (r.accepted ? ` on ${r.accepted}` : ": nobody has checked it yet")], ...(r.reasons.length ? [["Reasons", r.reasons.join("; ")]] : []), ...(r.retrained.length ? [["Re-trained by a maintainer", r.retrained.map(short).join(", ")]] : []), ...(r.gone ? [["Student", `not on the hub any more since ${r.gone}`]] : []), ...(r.teacher ? [["Promoted to", refer(r.teacher)]] : [])])),
    el("p", {}, "To reproduce:"), el("pre", {}, r.command))));
};
