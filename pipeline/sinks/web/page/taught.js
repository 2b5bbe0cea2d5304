// Tolerances that good parts propose.

import { element, number, word } from "/page/words.js";

export async function showTaught(place, recipe, parts, sigmas, changes) {
  const response = await fetch(`/setup/taught/${recipe}?parts=${encodeURIComponent(parts)}&sigmas=${encodeURIComponent(sigmas)}`);
  const found = await response.json();
  if (!response.ok || !found.length) {
    place.replaceChildren(element("p", { class: "none" }, found.error ?? word("nothing_taught")));
    return;
  }
  const head = ["measurement", "parts", "value", "present", "proposed"].map((key) => element("th", { scope: "col" }, word(key)));
  place.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...found.map((one) => row(one, changes)))));
}

function row(one, changes) {
  const text = (values) => Object.entries(values ?? {}).map(([key, value]) => `${key} ${value}`).join(", ");
  const use = element("button", { type: "button", disabled: !one.proposed, "aria-label": `${word("use")} ${one.name}` }, word("use"));
  use.addEventListener("click", () => { for (const [key, value] of Object.entries(one.proposed)) changes.put(["measure", one.name, key], value); });
  return element("tr", {}, element("th", { scope: "row" }, one.name), element("td", { class: "number" }, String(one.parts)),
    element("td", { class: "number" }, `${number(one.mean)} ± ${number(one.sigma)} ${one.unit} (${number(one.smallest)} … ${number(one.largest)})`),
    element("td", {}, text(one.present)), element("td", {}, one.proposed ? text(one.proposed) : word("too_few"), " ", one.proposed ? use : ""));
}
