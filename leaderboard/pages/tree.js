// The lineage of a run: root teachers on the left, the run on the right, and an edge for each parent.
"use strict";
// Shorten the middle of a long name, since the ends distinguish a teacher from its log.
const middle = (text, most = 56) =>
  text.length > most ? `${text.slice(0, most / 2 - 1)}…${text.slice(-most / 2)}` : text;

function lineage(host, told, nodes, run, { entry, choose }) {
  host.replaceChildren();
  told.textContent = "";
  if (!nodes[run]) return host.append(el("p", { class: "hint" }, "No run yet."));
  const depth = {}, order = [];
  const stack = [[run, false]], open = new Set();
  while (stack.length) {
    const [id, leaving] = stack.pop();
    if (leaving) {
      open.delete(id);
      depth[id] = Math.max(0, ...nodes[id].parents.filter((p) => p in depth).map((p) => depth[p] + 1));
      order.push(id);
    } else if (!(id in depth) && !open.has(id)) {
      open.add(id);
      stack.push([id, true], ...nodes[id].parents.filter((p) => nodes[p]).map((p) => [p, false]));
    }
  }
  const words = (n) => middle(n.method ? `${n.method}, seed ${n.seed}` : n.name.split("@")[0]);
  const longest = Math.max(...order.map((id) => words(nodes[id]).length));
  const rows = {}, place = {}, W = Math.max(190, 20 + 7 * longest), H = 58, GX = 150, GY = 22;
  for (const id of order) {
    const d = depth[id];
    rows[d] = (rows[d] ?? -1) + 1;
    place[id] = [12 + d * (W + GX), 12 + rows[d] * (H + GY)];
  }
  const wide = 24 + (Math.max(...Object.values(depth)) + 1) * (W + GX) - GX,
    high = 24 + (Math.max(...Object.values(rows)) + 1) * (H + GY);
  const svg = el("svg", {
    width: wide,
    height: high,
    viewBox: `0 0 ${wide} ${high}`,
    role: "group",
    "aria-label": "lineage",
  });
  const cost = (
    n,
  ) => (n.flops === null || n.flops === undefined
    ? `unpriced, at least ${n.least ? short(n.least) : "?"}`
    : `${short(n.flops)} FLOPs`);
  for (const id of order) {
    for (const parent of nodes[id].parents.filter((p) => place[p])) {
      const [x1, y1] = [place[parent][0] + W, place[parent][1] + H / 2],
        [x2, y2] = [place[id][0], place[id][1] + H / 2],
        m = (x1 + x2) / 2;
      const d = `M${x1},${y1}C${m},${y1} ${m},${y2} ${x2},${y2}`, n = nodes[id];
      const sentence = `${words(nodes[parent])} → ${words(n)} by ${n.method || "logging"}, which cost ${
        cost(n)
      } of its own.`;
      const follow = (event) => {
        event.preventDefault();
        told.textContent = sentence;
        const to = svg.querySelector(`[data-node="${CSS.escape(parent)}"]`);
        if (to) to.focus();
      };
      svg.append(
        el(
          "a",
          {
            svg: true,
            href: "#lineage",
            class: "edge",
            "data-edge": `${parent}>${id}`,
            "aria-label": sentence,
            onclick: follow,
          },
          el("path", { class: "hit", d }),
          el("path", { class: "line", d }),
          el(
            "text",
            { x: m, y: (y1 + y2) / 2 - 6, "text-anchor": "middle" },
            `${n.method || "log"} ${n.flops ? short(n.flops) : ""}`,
          ),
        ),
      );
    }
  }
  for (const id of order) {
    const n = nodes[id], [x, y] = place[id];
    const act = (event) => {
      event.preventDefault();
      if (id === run && n.entry) location.href = entry(n.entry);
      else if (n.entry) choose(id);
      else told.textContent = `${n.name}: ${cost(n)}. It has no record here.`;
    };
    svg.append(
      el(
        "a",
        { svg: true, href: "#lineage", "data-node": id, "aria-label": `${n.name}, ${cost(n)}`, onclick: act },
        el("rect", { x, y, width: W, height: H, rx: 6, class: n.tainted ? "bad" : null }),
        el("text", { class: "name", x: x + 10, y: y + 20 }, words(n)),
        el("text", { x: x + 10, y: y + 36 }, cost(n)),
        el(
          "text",
          { x: x + 10, y: y + 50 },
          n.tainted ? "⚠ descends from a revoked run" : n.full ? `${short(n.full)} with ancestors` : n.task || n.kind,
        ),
        el("title", {}, n.name),
      ),
    );
  }
  host.append(svg);
}
