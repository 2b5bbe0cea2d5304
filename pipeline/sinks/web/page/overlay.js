// What was found, drawn over a picture: shapes and words, so that no colour is the only sign.

import { drawn, number, word } from "/page/words.js";

// `area`: x, y, width, height in sensor px that the picture shows. Returns an <svg> in sensor px (pixel centres at integers).
export function overlay(page, view, area) {
  const [x, y, width, height] = area;
  const svg = drawn("svg", { viewBox: `${x - 0.5} ${y - 0.5} ${width} ${height}`, "aria-hidden": "true", class: "overlay" });
  const seen = new Map();
  for (const point of page.result.keypoints ?? []) {
    if (point.view === view && point.x !== undefined && point.x !== null) seen.set(point.name, point);
  }
  for (const defect of page.result.defects ?? []) if (defect.view === view) svg.append(...shapeOfDefect(defect));
  for (const edge of page.result.edges ?? []) if (edge.view === view && edge.outline?.length) svg.append(...shapeOfEdge(edge));
  for (const measurement of page.result.measurements ?? []) {
    const ends = (page.lines[measurement.name] ?? []).map((name) => seen.get(name)).filter(Boolean);
    if (ends.length > 1) svg.append(...shapeOfMeasurement(measurement, ends));
  }
  for (const point of seen.values()) svg.append(...shapeOfKeypoint(point));
  return svg;
}

function shapeOfKeypoint(point) {
  const shape = point.state === "visible"
    ? drawn("circle", { cx: point.x, cy: point.y, r: 0, class: "keypoint visible", "data-r": 7 })
    : drawn("path", { class: "keypoint unsure", "data-x": point.x, "data-y": point.y });
  const dot = drawn("circle", { cx: point.x, cy: point.y, r: 0, class: `dot ${point.state}`, "data-r": 1.5 });
  const text = drawn("text", { x: point.x, y: point.y, class: `name ${point.state}`, "data-dx": 10, "data-dy": -8 },
    point.state === "visible" ? point.name : `${point.name} ?`);
  return [shape, dot, text];
}

// As it was found; thin, so that the edge itself stays to be seen.
function shapeOfEdge(edge) {
  const [x, y] = edge.outline[0];
  return [
    drawn("polyline", { points: edge.outline.map((point) => point.join(",")).join(" "), class: "edge", "vector-effect": "non-scaling-stroke" }),
    drawn("text", { x, y, class: "name edge-name", "data-dx": 8, "data-dy": -6 }, edge.name),
  ];
}

function shapeOfMeasurement(measurement, ends) {
  const path = ends.map((end, index) => `${index ? "L" : "M"}${end.x} ${end.y}`).join("");
  const shapes = [drawn("path", { d: path, class: `measure ${measurement.evaluation}`, "vector-effect": "non-scaling-stroke" })];
  if (measurement.evaluation !== "OK") {
    const middle = { x: (ends[0].x + ends[1].x) / 2, y: (ends[0].y + ends[1].y) / 2 };
    const value = measurement.value === null ? "?" : `${number(measurement.value)} ${measurement.unit}`;
    shapes.push(drawn("text", { ...middle, class: `name measured ${measurement.evaluation}`, "data-dx": 6, "data-dy": -6 },
      `${measurement.name} ${value}`));
  }
  return shapes;
}

function shapeOfDefect(defect) {
  const { x, y, width, height, columns, rows, counts } = defect.mask;
  const [cellWidth, cellHeight] = [width / columns, height / rows];
  let [cell, isOn, path] = [0, false, ""];
  for (const count of counts) {
    let [left, from] = [count, cell];
    while (isOn && left > 0) {
      const column = from % columns;
      const run = Math.min(left, columns - column);
      path += `M${x + column * cellWidth - 0.5} ${y + Math.floor(from / columns) * cellHeight - 0.5}h${run * cellWidth}v${cellHeight}h${-run * cellWidth}z`;
      from += run;
      left -= run;
    }
    cell += count;
    isOn = !isOn;
  }
  const [boxX, boxY, boxWidth, boxHeight] = defect.box;
  const size = defect.area_mm2 === undefined || defect.area_mm2 === null ? `${number(defect.area_px, 0)} px²` : `${number(defect.area_mm2, 2)} mm²`;
  return [
    drawn("path", { d: path, class: "mask" }),
    drawn("rect", { x: boxX - 0.5, y: boxY - 0.5, width: boxWidth, height: boxHeight, class: "defect", "vector-effect": "non-scaling-stroke" }),
    drawn("text", { x: boxX + boxWidth, y: boxY, class: "name defect-name", "data-dx": 4, "data-dy": 0 }, `${word("defects")}: ${size}`),
  ];
}

// Signs and words keep their size on the screen, however large the picture is.
export function fit(svg) {
  const shown = svg.getBoundingClientRect().width;
  if (!shown) return;
  const unit = svg.viewBox.baseVal.width / shown; // sensor px in a px of the screen
  const scale = Math.min(1.6, Math.max(0.75, shown / 800));
  for (const circle of svg.querySelectorAll("circle")) circle.setAttribute("r", Number(circle.dataset.r) * unit * scale);
  for (const diamond of svg.querySelectorAll("path.keypoint")) {
    const [x, y, r] = [Number(diamond.dataset.x), Number(diamond.dataset.y), 8 * unit * scale];
    diamond.setAttribute("d", `M${x} ${y - r}L${x + r} ${y}L${x} ${y + r}L${x - r} ${y}z`);
  }
  svg.style.setProperty("--unit", `${unit * scale}px`);
  place(svg, unit * scale);
}

// Each name where it covers least: no other name, no point, and nothing beyond the picture, if there is such a place around its point.
function place(svg, size) {
  const { x: left, y: top, width: across, height: down } = svg.viewBox.baseVal;
  const points = [...svg.querySelectorAll("circle.dot")].map((dot) => boxOf(Number(dot.getAttribute("cx")) - 7 * size, Number(dot.getAttribute("cy")) + 7 * size, 14 * size, 14 * size));
  const names = [];
  for (const text of svg.querySelectorAll("text")) {
    const [x, y] = [Number(text.getAttribute("x")), Number(text.getAttribute("y"))];
    const [width, height] = [text.getComputedTextLength() || text.textContent.length * 7 * size, 13 * size];
    const [dx, dy] = [Number(text.dataset.dx) * size, Number(text.dataset.dy) * size];
    const offsets = [[dx, dy], [dx, -dy + height * 0.6], [-dx - width, dy], [-dx - width, -dy + height * 0.6],
      [-width / 2, dy - height], [-width / 2, -dy + height * 1.6], [dx, dy - 2 * height], [dx, -dy + 2 * height],
      [-dx - width, dy - 2 * height], [-dx - width, -dy + 2 * height]];
    let [chosen, least] = [null, Infinity];
    for (const offset of offsets) {
      const box = boxOf(x + offset[0], y + offset[1], width, height);
      const inside = shared(box, [left, top, left + across, top + down]);
      const cost = 4 * (width * height - inside) + 2 * sum(names, box) + sum(points, box);
      if (cost < least) [chosen, least] = [{ offset, box }, cost];
    }
    names.push(chosen.box);
    text.setAttribute("dx", chosen.offset[0]);
    text.setAttribute("dy", chosen.offset[1]);
  }
}

// From the left end of a line of text: left, top, right, bottom.
const boxOf = (x, y, width, height) => [x, y - height, x + width, y];
const shared = (one, other) => Math.max(0, Math.min(one[2], other[2]) - Math.max(one[0], other[0])) * Math.max(0, Math.min(one[3], other[3]) - Math.max(one[1], other[1]));
const sum = (boxes, box) => boxes.reduce((area, other) => area + shared(box, other), 0);
