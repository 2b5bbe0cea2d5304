// Setting a station up: aim, light, region, zones, tolerances; then written, sealed, loaded.

import { fit, overlay } from "/page/overlay.js";
import { pictureAt } from "/page/picture.js";
import { Changes } from "/page/changes.js";
import { showTaught } from "/page/taught.js";
import { drawn, element, loadWords, number, post, theme, word } from "/page/words.js";

const get = (id) => document.getElementById(id);
const PERIOD_MS = 350;
const who = await loadWords();
document.title = get("title").textContent = word("setup_title", { name: who.station });
theme();

const state = { isSetup: false, status: null, recipe: null, shown: null, part: null, best: 0, corners: [], drawing: "" };
const changes = new Changes(get("changes"), () => redraw());
const cameraOf = () => state.recipe?.cameras[get("view").value] ?? "";

async function wish(content, done) {
  const answer = await post("/setup/do", content);
  get("said").textContent = answer.error ? word("failed", { text: [answer.error, answer.next_command].filter(Boolean).join(" · ") }) : done ?? "";
  return answer;
}

// The station

const source = new EventSource("/events");
source.addEventListener("status", (event) => showStatus(JSON.parse(event.data)));
source.addEventListener("part", async (event) => {
  const page = JSON.parse(event.data);
  const note = page.pictures[get("view").value];
  if (!note || !page.result.keypoints?.length || state.drawing) return;
  const image = await pictureAt(note.url); // kept, as the server will not keep it
  if (image && !state.drawing) { state.part = { page, note, image }; redraw(); }
});

function showStatus({ status }) {
  if (!status) return;
  state.status = status;
  state.isSetup = status.state === "Initialized" && status.text.startsWith("being set up");
  get("state").textContent = status.state;
  get("mode").textContent = word(state.isSetup ? "setup_on" : "setup_off");
  get("switch").textContent = word(state.isSetup ? "leave" : "enter");
  document.body.classList.toggle("is-setup", state.isSetup);
  for (const id of ["trigger", "again", "set", "read", "save", "seal"]) get(id).disabled = !state.isSetup;
  const wanted = JSON.stringify(status.recipes.map((one) => [one.number, one.name]));
  if (get("number").dataset.recipes === wanted) return;
  get("number").dataset.recipes = wanted;
  get("number").replaceChildren(...status.recipes.filter((one) => one.number >= 0).map((one) => element("option", { value: one.number, selected: one.selected }, `${one.number} · ${one.name}`)));
  loadRecipe();
}

async function loadRecipe() {
  const response = await fetch(`/setup/recipe/${get("number").value}`);
  if (!response.ok) { get("said").textContent = (await response.json()).error; return; }
  state.recipe = await response.json();
  changes.clear();
  const kept = get("view").value;
  get("view").replaceChildren(...Object.keys(state.recipe.file.view).map((view) => element("option", { selected: view === kept }, view)));
  showView();
}

function showView() {
  const view = state.recipe.file.view[get("view").value];
  const region = changes.at(["view", get("view").value, "locate", "fixed"]) ?? view.locate.fixed ?? ["", "", "", ""];
  ["x", "y", "w", "h"].forEach((name, index) => { get(`region-${name}`).value = region[index]; });
  get("zone-corner").replaceChildren(...view.keypoints.map((name) => element("option", {}, name)));
  showZones();
  state.best = 0;
  redraw();
}

// Frames as they come

let timer = 0;
async function look() {
  clearTimeout(timer);
  const begun = performance.now();
  const camera = cameraOf();
  if (camera && !document.hidden && !state.drawing) await showFrame(camera).catch(() => {});
  timer = setTimeout(look, Math.max(50, PERIOD_MS - (performance.now() - begun)));
}

async function showFrame(camera) {
  const response = await fetch(`/setup/frame/${camera}`);
  if (!response.ok) return;
  const shown = JSON.parse(response.headers.get("x-shown"));
  const image = new Image();
  image.src = URL.createObjectURL(await response.blob());
  image.alt = word("picture_of", { name: get("view").value });
  await image.decode();
  URL.revokeObjectURL(image.src);
  if (state.drawing) return;
  state.shown = shown;
  showLight(shown.figures);
  put(image);
  get("aim").dataset.frame = shown.frame_id;
}

function put(image) {
  const [, , width, height] = areaNow();
  get("aim").style.setProperty("--ratio", width / height);
  get("aim").querySelector("img, p")?.replaceWith(image);
  redraw();
}

// While a zone is drawn the last part that was inspected stands still: its keypoints are the corners.
const isOfPart = () => state.drawing === "zone" && state.part;
const areaNow = () => (isOfPart() ? state.part.note.area : [0, 0, state.shown.width, state.shown.height]);

function showLight(figures) {
  state.best = Math.max(state.best, figures.focus);
  get("focus").textContent = number(figures.focus, 2);
  get("best").textContent = `${word("focus_best")} ${number(state.best, 2)}`;
  get("focus-bar").style.width = `${figures.focus * 100}%`;
  get("mean").textContent = number(figures.mean, 1);
  get("saturated").textContent = `${number(figures.saturated * 100, 2)} %`;
  const most = Math.max(...figures.histogram);
  const bars = figures.histogram.map((share, index) => drawn("rect", { x: index, y: 40 - Math.sqrt(share / most) * 40, width: 0.9, height: Math.sqrt(share / most) * 40 }));
  get("histogram").setAttribute("aria-label", `${word("histogram")}: ${word("mean")} ${number(figures.mean, 0)}, ${word("saturated")} ${number(figures.saturated * 100, 1)} %`);
  get("histogram").replaceChildren(drawn("svg", { viewBox: "0 0 64 40", preserveAspectRatio: "none", "aria-hidden": "true" }, ...bars));
}

// What is drawn over them

function redraw() {
  if (!state.shown || !state.recipe) return;
  const { width, height } = state.shown;
  const view = get("view").value;
  const isSame = state.part?.page.result.views.some((one) => one.view === view && one.frame_id === state.shown.frame_id && one.received_time === state.shown.received_time);
  const page = isOfPart() || isSame ? state.part.page : { result: {}, lines: {} };
  const svg = overlay(page, view, areaNow());
  svg.removeAttribute("aria-hidden");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", word("region"));
  if (get("cross").checked) svg.append(drawn("path", { class: "cross", d: `M${width / 2} 0V${height}M0 ${height / 2}H${width}` }));
  const region = regionOf();
  if (region) svg.append(drawn("rect", { class: "region", x: region[0], y: region[1], width: region[2], height: region[3] }));
  const points = new Map((page.result.keypoints ?? []).filter((one) => one.view === view && one.x !== undefined && one.x !== null).map((one) => [one.name, one]));
  const outline = (corners) => corners.map((name) => points.get(name)).filter(Boolean).map((one) => `${one.x},${one.y}`).join(" ");
  for (const [name, zone] of Object.entries(zonesNow())) if (zone.polygon.every((corner) => points.has(corner))) svg.append(drawn("polygon", { class: "zone", points: outline(zone.polygon) }, drawn("title", {}, name)));
  if (state.corners.length) svg.append(drawn("polygon", { class: "zone drawing", points: outline(state.corners) }));
  get("aim").querySelector("svg")?.remove();
  get("aim").append(svg);
  svg.addEventListener("pointerdown", (event) => begin(event, svg, points));
  fit(svg);
}

function regionOf() {
  const region = ["x", "y", "w", "h"].map((name) => get(`region-${name}`).value).map((text) => (text === "" ? NaN : Number(text)));
  return region.every(Number.isFinite) && region[2] > 0 && region[3] > 0 ? region : null;
}

function placeOf(event, svg) {
  const box = svg.getBoundingClientRect();
  const [x, y, width, height] = areaNow();
  const clip = (share) => Math.min(1, Math.max(0, share));
  return [x + clip((event.clientX - box.left) / box.width) * width, y + clip((event.clientY - box.top) / box.height) * height];
}

function begin(event, svg, points) {
  if (state.drawing === "zone") {
    const [x, y] = placeOf(event, svg);
    const nearest = [...points.values()].sort((one, two) => Math.hypot(one.x - x, one.y - y) - Math.hypot(two.x - x, two.y - y))[0];
    if (nearest) addCorner(nearest.name); else get("said").textContent = word("needs_part");
    return;
  }
  if (state.drawing !== "region") return;
  event.preventDefault();
  const from = placeOf(event, svg);
  const rect = svg.querySelector(".region") ?? svg.appendChild(drawn("rect", { class: "region" }));
  const move = (moved) => {
    const to = placeOf(moved, svg);
    const box = [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])].map(Math.round);
    ["x", "y", "width", "height"].forEach((name, index) => rect.setAttribute(name, box[index]));
    ["x", "y", "w", "h"].forEach((name, index) => { get(`region-${name}`).value = box[index]; });
  };
  const end = () => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", end);
    press("");
    takeRegion();
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", end);
}

function press(what) {
  state.drawing = what;
  get("draw-region").setAttribute("aria-pressed", what === "region");
  get("draw-zone").setAttribute("aria-pressed", what === "zone");
  get("aim").classList.toggle("drawing", Boolean(what));
  if (what === "zone" && !state.part) get("said").textContent = word("needs_part");
  if (isOfPart()) put(state.part.image);
}

function takeRegion() {
  const region = regionOf();
  if (!region || region[2] < 16 || region[3] < 16) return;
  const view = get("view").value;
  const isFixed = Boolean(state.recipe.file.view[view].locate.fixed);
  if (isFixed) changes.put(["view", view, "locate", "fixed"], region);
  else changes.put(["view", view, "locate"], { fixed: region });
}

// Zones

function zonesNow() {
  const zones = { ...(state.recipe.file.zone ?? {}) };
  for (const { path, value } of changes.edits()) if (path[0] === "zone") { if (value === null) delete zones[path[1]]; else zones[path[1]] = value; }
  return zones;
}

function showZones() {
  get("zones").replaceChildren(...Object.entries(zonesNow()).map(([name, zone]) => {
    const remove = element("button", { type: "button", "aria-label": `${word("remove")} ${name}` }, "✕");
    remove.addEventListener("click", () => { changes.put(["zone", name], null); showZones(); });
    return element("li", {}, element("strong", {}, name), ` ${zone.polygon.join(" – ")} `, remove);
  }));
}

function addCorner(name) {
  if (state.corners.at(-1) !== name) state.corners.push(name);
  get("corners").textContent = state.corners.join(" – ");
  redraw();
}

function addZone() {
  const name = get("zone-name").value;
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name) || state.corners.length < 3) { get("zone-name").focus(); return; }
  const limit = Number(get("zone-limit").value);
  changes.put(["zone", name], { polygon: [...state.corners], ...(limit > 0 ? { max_defect_px: limit } : {}) });
  state.corners = [];
  get("corners").textContent = "";
  press("");
  showZones();
  redraw();
}

// What is pressed

get("switch").addEventListener("click", async () => {
  const answer = await wish({ what: state.isSetup ? "leave" : "enter" });
  if (answer.is_unsealed && confirm(word("leave_unsealed", { text: answer.error }))) wish({ what: "leave", anyway: true });
});
get("trigger").addEventListener("click", () => wish({ what: "trigger" }));
get("number").addEventListener("change", loadRecipe);
get("view").addEventListener("change", showView);
get("cross").addEventListener("change", redraw);
get("draw-region").addEventListener("click", () => press(state.drawing === "region" ? "" : "region"));
get("draw-zone").addEventListener("click", () => press(state.drawing === "zone" ? "" : "zone"));
get("zone-add-corner").addEventListener("click", () => addCorner(get("zone-corner").value));
get("zone-add").addEventListener("click", addZone);
for (const name of ["x", "y", "w", "h"]) get(`region-${name}`).addEventListener("change", () => { takeRegion(); redraw(); });
get("read").addEventListener("click", () => adjust({ ExposureTime: null, Gain: null }));
get("set").addEventListener("click", () => adjust(Object.fromEntries(["ExposureTime", "Gain"].filter((name) => get(name).value !== "").map((name) => [name, Number(get(name).value)]))));
get("teach").addEventListener("click", () => showTaught(get("taught"), get("number").value, get("teach-parts").value, get("teach-sigmas").value, changes));
get("save").addEventListener("click", async () => {
  const answer = await wish({ what: "save", number: Number(get("number").value), edits: changes.edits() });
  if (answer.error) { get("written").textContent = answer.error; return; }
  get("written").textContent = `${word("saved", { text: answer.changed })}\n${word("unsealed")}`;
  await loadRecipe();
});
get("seal").addEventListener("click", async () => {
  get("written").textContent = word("sealing");
  get("seal").disabled = true;
  const answer = await wish({ what: "seal", number: Number(get("number").value) });
  get("written").textContent = answer.error ?? word("sealed", { text: `\n${answer.output}` });
});

async function adjust(features) {
  const answer = await wish({ what: "adjust", camera: cameraOf(), features });
  if (answer.error) return;
  for (const [name, value] of Object.entries(answer.values)) get(name).value = value;
  get("keep").hidden = false;
  get("keep").querySelector("code").textContent = Object.entries(answer.values).map(([name, value]) => `${name} = ${value}`).join(", ");
}

setInterval(() => { if (get("again").checked && state.isSetup && !document.hidden) wish({ what: "trigger" }); }, 700);
new ResizeObserver(() => { const svg = get("aim").querySelector("svg"); if (svg) fit(svg); }).observe(get("aim"));
if (who.role === "engineer") look();
