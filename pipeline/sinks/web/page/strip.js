// The last rejected parts, and one of them with everything.

import { fit, overlay } from "/page/overlay.js";
import { everythingOf, factsOf, verdictOf } from "/page/part.js";
import { pictureAt } from "/page/picture.js";
import { clock, element, SIGNS, word } from "/page/words.js";

const get = (id) => document.getElementById(id);
let notes = [];
let opened = null;

export function showRejected(newest) {
  notes = newest;
  const kept = new Map([...get("rejected").children].map((item) => [item.dataset.key, item]));
  const items = notes.map((note) => kept.get(keyOf(note)) ?? itemOf(note));
  const focused = document.activeElement?.dataset?.part;
  get("rejected").replaceChildren(...(items.length ? items : [element("li", { class: "none" }, word("rejected_none"))]));
  if (focused) get("rejected").querySelector(`[data-part="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

const keyOf = (note) => `${note.id} ${note.small.length}`;

function itemOf(note) {
  const name = note.part_id || `${word("trigger")} ${note.trigger_number ?? "–"}`;
  const pictures = note.small.map((view) => element("img", { src: `/small/${note.id}/${view}`, alt: "", loading: "lazy" }));
  const button = element("button", { type: "button", class: note.evaluation, "data-part": note.id, title: [word("open_part", { name }), ...note.reasons].join("\n") },
    ...(pictures.length ? pictures : [element("span", { class: "blank" }, word("no_small"))]),
    element("span", { class: "what" }, element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[note.evaluation]),
      element("span", { class: "unseen" }, word(note.evaluation)), ` ${name}`),
    element("span", { class: "when" }, clock(note.time)), element("span", { class: "why" }, note.reasons[0] ?? ""));
  button.addEventListener("click", () => open(note.id));
  return element("li", { "data-key": keyOf(note) }, button);
}

async function open(id) {
  opened = id;
  const dialog = get("part");
  if (!dialog.open) dialog.showModal();
  const response = await fetch(`/part/${id}`);
  if (opened !== id) return;
  if (!response.ok) {
    get("part-title").textContent = word("gone");
    get("part-body").replaceChildren();
    return;
  }
  const page = await response.json();
  const verdict = element("p", { class: `verdict ${page.result.result_evaluation}` }, ...verdictOf(page.result));
  get("part-title").textContent = factsOf(page.result);
  const reasons = element("ul", { class: "reasons" }, ...page.reasons.map((reason) => element("li", {}, reason)));
  const pictures = element("div", { class: "views" });
  get("part-body").replaceChildren(verdict, reasons, element("div", { class: "sides" }, pictures, element("div", {}, ...everythingOf(page))));
  get("part-body").dataset.part = id;
  for (const view of page.result.views) showPicture(page, view, pictures, id);
}

// The kept image is the whole frame; its place in the picture shows what was looked at.
async function showPicture(page, view, place, id) {
  const figure = element("figure", {});
  place.append(figure);
  const image = page.archived.includes(view.view) ? await keptImage(`/part/${id}/image/${view.view}`) : null;
  if (!image) {
    const small = await pictureAt(`/small/${id}/${view.view}`);
    figure.append(...(small ? [small] : []), element("p", {}, word("image_none", { name: view.view })));
    return;
  }
  image.alt = word("picture_of", { name: view.view });
  figure.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
  const svg = overlay(page, view.view, [0, 0, image.naturalWidth, image.naturalHeight]);
  figure.append(image, svg, element("figcaption", {}, `${view.view} · ${word("image_kept")}`));
  fit(svg);
  new ResizeObserver(() => fit(svg)).observe(figure);
}

// It may be on its way to the disk.
async function keptImage(url) {
  for (let attempt = 0; attempt < 4; attempt += 1) {
    if (attempt) await new Promise((resolve) => setTimeout(resolve, 700));
    const image = await pictureAt(url);
    if (image) return image;
  }
  return null;
}

function step(by) {
  const index = notes.findIndex((note) => note.id === opened);
  const next = notes[index + by];
  if (index >= 0 && next) open(next.id);
}

get("part-previous").addEventListener("click", () => step(-1));
get("part-next").addEventListener("click", () => step(1));
get("part").addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
get("part").addEventListener("close", () => {
  get("rejected").querySelector(`[data-part="${CSS.escape(opened ?? "")}"]`)?.focus();
  opened = null;
});
