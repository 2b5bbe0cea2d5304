// Every proposal is looked at, least certain first: accepted, rejected, or its points put right. Saved as COCO keypoints.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const STATES = { 2: "visible", 1: "hidden", 0: "missing" };
const CORNER = 0.5;
const parts = data.parts.map((part) => ({ ...part, decision: "", points: restored(part), changed: false }));
const shownParts = parts.filter((part) => part.picture);
let current = 0, selected = -1, saved = true;
const $ = (id) => document.getElementById(id);

function restored(part) {
  return part.points.map((point, index) => ({ ...point, name: data.keypoints[index] }));
}

const photo = new Photo($("photo"), {
  points: () => (shownParts.length ? shownParts[current].points : []),
  box: () => (shownParts.length ? shownParts[current].box : null),
  selected: () => selected,
  select: (index) => { selected = index; list(); },
  moved: (index) => { touched(shownParts[current]); shownParts[current].points[index].doubt = false; list(); },
  clicked: (x, y) => {  // a point that has no place yet gets one
    const point = shownParts[current].points[selected];
    if (point && point.x === null) { point.x = x; point.y = y; point.v = 2; touched(shownParts[current]); list(); } else { selected = -1; list(); }
  },
  boxed: () => {},
});

function touched(part) { part.changed = true; saved = false; }

function go(index) {
  if (!shownParts.length) return;
  current = Math.min(Math.max(index, 0), shownParts.length - 1); selected = -1;
  const part = shownParts[current];
  photo.show(part.picture, [part.width, part.height]);
  list(); rows();
  const row = $("parts").children[current];
  if (row) row.scrollIntoView({ block: "nearest" });
}

function decide(decision) {
  const part = shownParts[current];
  if (!part) return;
  part.decision = part.decision === decision ? "" : decision; saved = false;
  if (!part.decision) { rows(); return; }
  const open = shownParts.findIndex((one, index) => index > current && !one.decision);
  const next = open >= 0 ? open : shownParts.findIndex((one) => !one.decision);
  go(next >= 0 ? next : current);
}

function acceptRest() {
  for (const part of parts) if (!part.decision && part.sure >= data.least) { part.decision = "accepted"; saved = false; }
  rows();
}

function cycle(index) {
  const part = shownParts[current], point = part && part.points[index];
  if (!point) return;
  if (point.x === null) { selected = index; list(); return; }
  point.v = { 2: 1, 1: 0, 0: 2 }[point.v]; point.doubt = false; touched(part); list();
}

function undo() {
  const part = shownParts[current];
  if (!part) return;
  const fresh = data.parts[parts.indexOf(part)];
  part.points = restored(fresh); part.changed = false; list(); rows();
}

function rows() {
  const holder = $("parts"); holder.replaceChildren();
  shownParts.forEach((part, index) => {
    const row = made("div", undefined, `row${index === current ? " chosen" : ""}`);
    row.append(made("span", undefined, `dot ${part.decision}`), made("span", part.file_name + (part.changed ? " *" : ""), "name"),
      made("span", part.sure.toFixed(2), "number"));
    row.title = part.decision || "not decided";
    row.onclick = () => go(index);
    holder.append(row);
  });
  const count = (decision) => parts.filter((part) => part.decision === decision).length;
  const rest = parts.filter((part) => !part.decision && part.sure >= data.least).length;
  $("counts").textContent = `${count("accepted")} accepted, ${count("rejected")} rejected, ${count("")} to look at`;
  $("rest").textContent = `Accept ${rest} more (${data.least} or surer)`;
  $("rest").disabled = !rest;
  $("save").disabled = !count("accepted");
}

function list() {
  const part = shownParts[current], holder = $("points"); holder.replaceChildren();
  if (!part) return;
  $("title").textContent = `${part.file_name}  (sure ${part.sure.toFixed(2)})`;
  part.points.forEach((point, index) => {
    const row = made("div", undefined, `row${index === selected ? " chosen" : ""}`);
    const state = made("button", STATES[point.v], `state v${point.v}`);
    state.onclick = (event) => { event.stopPropagation(); selected = index; cycle(index); };
    row.append(state, made("span", point.name, "name"), made("span", point.confidence === null ? "" : point.confidence.toFixed(2),
      point.doubt ? "number warn" : "number"));
    row.title = point.text || "";
    row.onclick = () => { selected = index; list(); };
    row.ondblclick = () => { if (point.x !== null) photo.look(point.x, point.y, Math.max(4, photo.scale)); };
    holder.append(row);
  });
  photo.draw();
}

function around(part) {  // its box, widened where a point was drawn out of it
  let [x0, y0, wide, high] = part.box, x1 = x0 + wide, y1 = y0 + high;
  for (const point of part.points) {
    if (point.x === null || point.v === 0) continue;
    const [x, y] = [point.x + CORNER, point.y + CORNER];
    x0 = Math.min(x0, x - 1); y0 = Math.min(y0, y - 1); x1 = Math.max(x1, x + 1); y1 = Math.max(y1, y + 1);
  }
  x0 = Math.max(x0, 0); y0 = Math.max(y0, 0); x1 = Math.min(x1, part.width); y1 = Math.min(y1, part.height);
  return [x0, y0, x1 - x0, y1 - y0].map(rounded);
}

function rounded(value) { return Math.round(value * 1e4) / 1e4; }

function accepted() {  // COCO counts from the corner of the image
  const chosen = parts.filter((part) => part.decision === "accepted" && part.points.some((point) => point.x !== null));
  const names = [...new Set(chosen.map((part) => part.file_name))];
  const size = Object.fromEntries(chosen.map((part) => [part.file_name, [part.width, part.height]]));
  return JSON.stringify({
    info: { description: "accepted with datumd teach" },
    images: names.map((name, index) => ({ id: index + 1, file_name: name, width: size[name][0], height: size[name][1] })),
    annotations: chosen.map((part, index) => {
      const box = around(part);
      return {
        id: index + 1, image_id: names.indexOf(part.file_name) + 1, category_id: 1, iscrowd: 0, bbox: box, area: rounded(box[2] * box[3]),
        keypoints: part.points.flatMap((p) => (p.x === null ? [0, 0, 0] : [rounded(p.x + CORNER), rounded(p.y + CORNER), p.v])),
        num_keypoints: part.points.filter((p) => p.x !== null && p.v > 0).length,
      };
    }),
    categories: [{ id: 1, name: data.part, keypoints: data.keypoints, skeleton: [] }],
  }, null, 1);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const point = shownParts[current] && shownParts[current].points[selected];
  const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (arrow && point && point.x !== null) {
    const step = event.shiftKey ? 0.2 : 1;
    [point.x, point.y] = photo.inside(point.x + step * arrow[0], point.y + step * arrow[1]);
    point.doubt = false; touched(shownParts[current]); list(); event.preventDefault(); return;
  }
  const act = { a: () => decide("accepted"), r: () => decide("rejected"), n: () => go(current + 1), p: () => go(current - 1),
    ArrowRight: () => go(current + 1), ArrowDown: () => go(current + 1), ArrowLeft: () => go(current - 1), ArrowUp: () => go(current - 1),
    v: () => cycle(selected), u: undo, f: () => photo.fit(), Escape: () => { selected = -1; list(); } }[event.key];
  if (act) { act(); event.preventDefault(); }
});
window.addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
$("accept").onclick = () => decide("accepted"); $("reject").onclick = () => decide("rejected");
$("undo").onclick = undo; $("rest").onclick = acceptRest;
$("save").onclick = () => { download("accepted.json", accepted()); saved = true; };
$("unseen").textContent = parts.length > shownParts.length
  ? `${parts.length - shownParts.length} surer ones have no picture here; they are only accepted by the button for those left.` : "";
rows(); go(0);
