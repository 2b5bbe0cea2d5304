// The first photograph: its points are clicked and named, and saved as points.json.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const points = data.points.map((point) => ({ ...point, v: 2 }));
let selected = -1, box = data.box, saved = true;
const $ = (id) => document.getElementById(id);

const photo = new Photo($("photo"), {
  points: () => points,
  box: () => box,
  selected: () => selected,
  select: (index) => { selected = index; list(); },
  moved: () => { saved = false; },
  clicked: (x, y) => add(x, y),
  boxed: (drawn) => { box = drawn; saved = false; told(); },
});

function add(x, y) {
  const next = data.names.find((name) => !points.some((point) => point.name === name));
  points.push({ name: next || fresh(), x, y, v: 2 });
  selected = points.length - 1; saved = false; list();
  if (!next) { const field = $("points").children[selected].querySelector("input"); field.focus(); field.select(); }
}

function fresh() {
  let number = points.length + 1;
  while (points.some((point) => point.name === `point_${number}`)) number += 1;
  return `point_${number}`;
}

function remove(index) { points.splice(index, 1); selected = -1; saved = false; list(); }

function list() {
  const holder = $("points"); holder.replaceChildren();
  points.forEach((point, index) => {
    const row = made("div", undefined, `row${index === selected ? " chosen" : ""}`), field = made("input");
    field.type = "text"; field.value = point.name; field.spellcheck = false;
    field.oninput = () => { point.name = field.value.trim(); saved = false; photo.draw(); told(); };
    field.onfocus = () => { selected = index; photo.draw(); };
    field.onkeydown = (event) => { if (event.key === "Enter") field.blur(); event.stopPropagation(); };
    const gone = made("button", "×"); gone.title = "remove"; gone.onclick = (event) => { event.stopPropagation(); remove(index); };
    row.append(field, gone);
    row.onclick = () => { selected = index; photo.draw(); };
    row.ondblclick = () => photo.look(point.x, point.y, Math.max(4, photo.scale));
    holder.append(row);
  });
  told(); photo.draw();
}

function told() {
  const names = points.map((point) => point.name), twice = names.find((name, index) => !name || names.indexOf(name) !== index);
  const next = data.names.find((name) => !names.includes(name));
  $("fault").textContent = twice === undefined ? "" : twice ? `Two points are called ${twice}.` : "A point has no name.";
  $("next").textContent = next ? `Click on: ${next}` : "Click on the photograph to add a point, then type its name.";
  $("save").disabled = twice !== undefined || !points.length;
  $("counts").textContent = `${points.length} points${box ? ", a box" : ""}`;
}

function marked() {
  return JSON.stringify({
    image: data.image, width: data.width, height: data.height, part: data.part,
    points: points.map((point) => ({ name: point.name, x: rounded(point.x), y: rounded(point.y) })),
    box: box ? box.map(rounded) : null,
  }, null, 1);
}

function rounded(value) { return Math.round(value * 1e4) / 1e4; }

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "INPUT") return;
  const point = points[selected];
  const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (arrow && point) {
    const step = event.shiftKey ? 0.2 : 1;
    [point.x, point.y] = photo.inside(point.x + step * arrow[0], point.y + step * arrow[1]); saved = false;
    photo.draw(); event.preventDefault();
  } else if (event.key === "Delete" && point) remove(selected);
  else if (event.key === "f") photo.fit();
  else if (event.key === "Escape") { selected = -1; list(); }
});
window.addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
$("box").onclick = () => { photo.boxing = true; $("next").textContent = "Drag a box around the whole part."; };
$("nobox").onclick = () => { box = null; saved = false; list(); };
$("save").onclick = () => { download("points.json", marked()); saved = true; };
photo.show(data.picture, [data.width, data.height]);
list();
