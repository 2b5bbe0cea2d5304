// A part: verdict, reasons, measurements; and with everything that is known of it.

import { clock, element, number, SIGNS, word } from "/page/words.js";

const STAGES = ["locate", "image", "preprocess", "coarse", "refine", "visibility", "segment", "measure", "verdict"]; // in their order

export function verdictOf(result) {
  return [
    element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[result.result_evaluation]),
    " ", element("span", { class: "word" }, word(result.result_evaluation)),
    " ", element("span", { class: "disposition" }, word(result.disposition)),
  ];
}

export function factsOf(result) {
  const took = result.times.received_to_answered_ns;
  const facts = [
    result.trigger_number === null ? null : `${word("trigger")} ${result.trigger_number}${result.part_count > 1 ? ` · ${result.part_index + 1}/${result.part_count}` : ""}`,
    result.part_id ? `${word("part_id")} ${result.part_id}` : null,
    clock(result.answered_time),
    took === undefined ? null : `${number(took / 1e6, 1)} ms`,
  ];
  return facts.filter(Boolean).join(" · ");
}

export function measurementsOf(result) {
  if (!result.measurements.length) return [];
  const hasSigma = result.measurements.some((one) => one.sigma !== undefined && one.sigma !== null);
  const keys = ["measurement", "value", hasSigma ? "uncertainty" : null, "limits"].filter(Boolean);
  const head = keys.map((key, index) => element("th", { scope: "col", class: index ? "number" : null }, word(key)));
  const rows = result.measurements.map((one) => element("tr", { class: one.evaluation },
    element("th", { scope: "row" }, element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[one.evaluation]),
      element("span", { class: "unseen" }, `${word(one.evaluation)}:`), ` ${one.name}`),
    element("td", { class: "number" }, one.value === null ? "–" : `${number(one.value)} ${one.unit}`),
    hasSigma ? element("td", { class: "number" }, one.sigma ? number(one.sigma) : "–") : null,
    element("td", { class: "number" }, one.lower === null && one.upper === null ? "–" : `${number(one.lower)} … ${number(one.upper)}`),
    element("td", { class: "place", "aria-hidden": "true" }, bandOf(one)),
  ));
  const last = element("td", { class: "place", "aria-hidden": "true" });
  return [element("table", {}, element("thead", {}, element("tr", {}, ...head, last)), element("tbody", {}, ...rows))];
}

// Where the value lies between its limits, as a mark on a band; the numbers beside it say the same.
function bandOf(one) {
  if (one.value === null || one.lower === null || one.upper === null || !(one.upper > one.lower)) return "";
  const place = Math.min(1.15, Math.max(-0.15, (one.value - one.lower) / (one.upper - one.lower)));
  const mark = element("i", {});
  mark.style.left = `${(place + 0.15) / 1.3 * 100}%`;
  return element("span", { class: "band" }, mark);
}

export function everythingOf(page) {
  const { result } = page;
  const facts = [
    ["result", result.result_id], ["time", result.answered_time], ["recipe", `${result.recipe_id} ${result.product_id} ${result.configuration_id}`],
    ["trigger", result.trigger_number ?? "–"], ["part_id", result.part_id || "–"],
  ];
  const list = element("dl", {}, ...facts.flatMap(([key, value]) => [element("dt", {}, word(key)), element("dd", {}, String(value))]));
  return [
    element("h3", {}, word("measurements")), element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": word("measurements") }, ...measurementsOf(result)),
    element("h3", {}, word("keypoints")), element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": word("keypoints") }, keypointsOf(result)),
    ...(result.defects?.length ? [element("h3", {}, word("defects")), defectsOf(result)] : []),
    element("h3", {}, word("stages")), stagesOf(result), list,
  ];
}

function keypointsOf(result) {
  const hasViews = result.views.length > 1;
  const head = ["keypoint", hasViews ? "view" : null, "verdict", "visibility", "position"].filter(Boolean).map((key) => element("th", { scope: "col" }, word(key)));
  const rows = (result.keypoints ?? []).map((one) => element("tr", {},
    element("th", { scope: "row" }, one.name), hasViews ? element("td", {}, one.view) : null,
    element("td", {}, { visible: "● ", unsure: "◇ ", hidden: "○ " }[one.state] + word(one.state)),
    element("td", { class: "number" }, number(one.visibility, 3)),
    element("td", { class: "number" }, one.x === null || one.x === undefined ? "–"
      : `${number(one.x, 2)}, ${number(one.y, 2)}${one.sigma_px ? ` ± ${number(one.sigma_px, 2)}` : ""}`),
  ));
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
}

function defectsOf(result) {
  return element("ul", {}, ...result.defects.map((one) => element("li", {},
    `${one.view}: ${word("area")} ${one.area_mm2 ? `${number(one.area_mm2, 2)} mm²` : `${number(one.area_px, 0)} px²`}, ${word("score")} ${number(one.score, 2)}${one.zones?.length ? `, ${one.zones.join(", ")}` : ""}`)));
}

function stagesOf(result) {
  const place = ([name]) => (STAGES.includes(name) ? STAGES.indexOf(name) : STAGES.length);
  const stages = Object.entries(result.stages_ns).sort((one, other) => place(one) - place(other));
  return element("ul", { class: "inline" }, ...stages.map(([name, ns]) => element("li", {}, `${name} ${number(ns / 1e6, 2)} ms`)));
}
