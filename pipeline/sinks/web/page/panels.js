// Figures, cameras, processes, what happened, and the operator's controls.

import { clock, element, number, post, word } from "/page/words.js";

const get = (id) => document.getElementById(id);
const milliseconds = (value) => `${number(value, value < 10 ? 2 : 1)} ms`;

export function showFigures({ figures, texts }) {
  get("figures-title").textContent = word("figures", { count: figures.parts });
  const share = figures.parts ? figures.passed / figures.parts * 100 : 0;
  const longest = Math.max(1e-9, ...figures.stages.map((stage) => stage.p99));
  get("figures").replaceChildren(
    element("p", { class: "big" }, element("span", {}, word("yield")), " ", element("strong", { id: "yield" }, figures.parts ? `${number(share, 1)} %` : "–")),
    meter(share),
    element("p", { class: "counts" }, Object.entries(figures.evaluations).map(([name, count]) => `${word(name)} ${count}`).join(" · ")),
    element("h3", {}, word("latency")),
    element("p", {}, figures.latency ? `${word("p50")} ${milliseconds(figures.latency.p50)} · ${word("p99")} ${milliseconds(figures.latency.p99)} · ${word("longest")} ${milliseconds(figures.latency.longest)}` : "–"),
    element("h3", {}, word("stages")),
    element("ul", { class: "bars" }, ...figures.stages.map((stage) => bar(stage.name, stage.p50 / longest, stage.p99 / longest, `${milliseconds(stage.p50)} · ${milliseconds(stage.p99)}`))),
    element("h3", {}, word("losses")), counted(figures.losses, (code) => texts[code] ?? code, "losses_none"),
    element("h3", {}, word("reject_reasons")), counted(figures.reasons, (code) => code, "reject_reasons_none"),
  );
}

function meter(percent) {
  const fill = element("i", {});
  fill.style.width = `${percent}%`;
  return element("span", { class: "meter", "aria-hidden": "true" }, fill);
}

function bar(name, half, most, text) {
  const [long, short] = [element("i", { class: "most" }), element("i", { class: "half" })];
  long.style.width = `${most * 100}%`;
  short.style.width = `${half * 100}%`;
  return element("li", {}, element("span", { class: "key" }, name), element("span", { class: "bar", "aria-hidden": "true" }, long, short), element("span", { class: "number" }, text));
}

function counted(pairs, text, none) {
  if (!pairs.length) return element("p", { class: "none" }, word(none));
  const most = Math.max(...pairs.map(([, count]) => count));
  return element("ul", { class: "bars" }, ...pairs.map(([code, count]) => bar(text(code), 0, count / most, String(count))));
}

export function showStatus({ heard, status }, who) {
  if (!status) return;
  const isWell = heard && !["Error", "Halted"].includes(status.state);
  get("state").textContent = `${isWell ? "●" : "▲"} ${status.state}`;
  get("state").className = `chip ${isWell ? "well" : "bad"}`;
  get("state").title = status.text;
  get("product").textContent = status.recipe_id === null ? "–" : `${word("recipe")} ${status.recipe_id} · ${status.product_id}`;
  const facts = [
    ["state", `${status.state}: ${status.text}`], ["recipe", `${status.recipe_id ?? "–"} ${status.product_id} ${status.configuration_id}`],
    ["backend", status.backend || "–"], ["triggers", `${status.triggers}, ${status.open_parts} ${word("waiting")}`],
    ["since", `${new Date(status.started_time).toLocaleString(document.documentElement.lang)} · datumd ${status.version}`],
    ["journal", status.journal.fault || word("well")], ["images", status.evidence.fault || `${word("well")}, ${status.evidence.images}`],
  ];
  get("station").replaceChildren(...facts.flatMap(([key, value]) => [element("dt", {}, word(key)), element("dd", {}, value)]));
  get("cameras").replaceChildren(...status.cameras.map((camera) => {
    const lost = Object.values(camera.losses).reduce((sum, count) => sum + count, 0);
    const parts = [`${camera.frames} ${word("frames")}`, lost ? `${lost} ${word("lost")}` : null, camera.triggers === "counted" ? null : word("unverified"), camera.text];
    return thing(heard && camera.up, `${camera.camera}: ${word(camera.up ? "up" : "down")}`, parts.filter(Boolean).join(" · "), `camera-${camera.camera}`);
  }));
  get("processes").replaceChildren(...status.processes.map((process) => thing(
    process.state === "ready", `${process.name}: ${process.state}`,
    [process.restarts ? word("restarts", { count: process.restarts }) : null, `${Math.round(process.resident_bytes / 2 ** 20)} MiB`].filter(Boolean).join(" · "))));
  showControl(status, who);
}

function thing(isWell, name, text, id) {
  return element("li", { class: isWell ? "well" : "bad", id }, element("span", { class: "mark", "aria-hidden": "true" }, isWell ? "●" : "▲"), " ", element("strong", {}, name), " ", element("span", {}, text));
}

export function showIncidents({ incidents }) {
  get("incidents").replaceChildren(...(incidents.length ? incidents.map((one) => element("li", { class: one.is_bad ? "bad" : "" },
    element("span", { class: "mark", "aria-hidden": "true" }, one.is_bad ? "▲" : "●"), " ", element("time", {}, clock(one.time)), " ",
    word(`incident_${one.code}`, { name: one.name, text: one.text }))) : [element("li", { class: "none" }, word("incidents_none"))]));
}

// Made once; only what changes is touched, so that a menu that is open stays open.
function showControl(status, who) {
  const place = get("control");
  if (!["operator", "engineer"].includes(who.role)) return;
  if (!place.children.length) {
    const said = element("p", { id: "done", role: "status" });
    const act = (key, deed) => {
      const button = element("button", { type: "button" }, word(key));
      button.addEventListener("click", async () => {
        const answer = await post("/do", deed());
        said.textContent = answer.error ? word("failed", { text: [answer.error, answer.next_command].filter(Boolean).join(" · ") }) : word("done", { name: word(key) });
      });
      return button;
    };
    const select = element("select", { id: "recipe", "aria-label": word("recipe") });
    place.append(element("h3", {}, word("control")),
      element("p", {}, act("start", () => ({ what: "start" })), act("stop", () => ({ what: "stop" })), act("trigger_now", () => ({ what: "trigger" }))),
      element("p", {}, select, act("select", () => ({ what: "select_recipe", number: Number(select.value) }))), said);
    place.hidden = false;
  }
  const select = get("recipe");
  const wanted = JSON.stringify(status.recipes);
  if (select.dataset.recipes !== wanted) {
    select.dataset.recipes = wanted;
    select.replaceChildren(...status.recipes.map((one) => element("option", { value: one.number, selected: one.selected }, `${one.number} · ${one.name}${one.fault ? ` (${one.fault})` : ""}`)));
  }
}
