// The live page: listens while it is looked at, and shows what it is told.

import { showFigures, showIncidents, showStatus } from "/page/panels.js";
import { factsOf, measurementsOf, verdictOf } from "/page/part.js";
import { Views } from "/page/picture.js";
import { showRejected } from "/page/strip.js";
import { element, loadWords, post, theme, word } from "/page/words.js";

const SILENCE_MS = 3000; // three words of the server's that did not come
const get = (id) => document.getElementById(id);
const who = await loadWords();
const views = new Views(get("views"));
let source = null;
let heardAt = 0;
let isHeard = true;

theme();
get("logout").hidden = !who.tokens;
get("setup").hidden = who.role !== "engineer";
get("logout").addEventListener("click", async () => { await post("/logout", {}); location.reload(); });
get("names").addEventListener("change", () => document.body.classList.toggle("nameless", !get("names").checked));

function listen() {
  source?.close();
  source = new EventSource("/events");
  const on = (kind, show) => source.addEventListener(kind, (event) => { heardAt = performance.now(); show(JSON.parse(event.data)); look(); });
  on("here", () => {});
  on("part", showPart);
  on("figures", showFigures);
  on("rejected", showRejected);
  on("incidents", showIncidents);
  on("status", (note) => { isHeard = note.heard; showStatus(note, who); });
  source.onerror = async () => {
    look();
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    const answer = await fetch("/events", { method: "HEAD" }).catch(() => null);
    if (answer?.status === 401) location.reload();
    setTimeout(() => { if (!document.hidden) listen(); }, 1000);
  };
}

function showPart(page) {
  return views.show(page, () => {
    const { result } = page;
    get("verdict").className = `verdict ${result.result_evaluation}`;
    get("verdict").replaceChildren(...verdictOf(result));
    get("facts").textContent = factsOf(result);
    get("reasons").replaceChildren(...page.reasons.map((reason) => element("li", {}, reason)), ...hiddenOf(result));
    get("measurements").replaceChildren(...measurementsOf(result));
    document.body.dataset.shown = result.result_id;
  });
}

function hiddenOf(result) {
  const hidden = (result.keypoints ?? []).filter((point) => point.state === "hidden").map((point) => point.name);
  return hidden.length ? [element("li", { class: "hidden-points" }, `${word("hidden")}: ${hidden.join(", ")}`)] : [];
}

// Whether what is shown is of now.
function look() {
  const isSilent = performance.now() - heardAt > SILENCE_MS;
  const text = isSilent ? word("page_silent") : isHeard ? "" : word("ledger_silent");
  if (get("banner").textContent !== text) get("banner").textContent = text;
  get("banner").hidden = !text;
  document.body.classList.toggle("stale", Boolean(text));
  const link = text ? `▲ ${word("connecting")}` : `● ${word("live")}`;
  if (get("link").textContent !== link) get("link").textContent = link;
  get("link").className = `chip ${text ? "bad" : "well"}`;
}

// A phone in a pocket, or a tab behind others, listens to nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    source = null;
  } else {
    heardAt = performance.now();
    listen();
  }
});
heardAt = performance.now();
if (!document.hidden) listen();
setInterval(() => { if (!document.hidden) look(); }, 500);
