// Words in the station's language, and small makers of elements.

let texts = {};

export async function loadWords() {
  const answer = await (await fetch("/texts")).json();
  texts = answer.texts;
  document.documentElement.lang = answer.who.language;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = word(element.dataset.t);
  document.title = word("title", { name: answer.station });
  answer.who.station = answer.station;
  document.getElementById("title").textContent = word("title", { name: answer.station });
  return answer.who;
}

export function word(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// element("p", {class: "x"}, "text", other…): text is always text, never markup.
export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function drawn(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function number(value, digits = 3) {
  return value === null || value === undefined ? "–" : value.toLocaleString(document.documentElement.lang, {
    minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false,
  });
}

export function clock(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "–" : date.toLocaleTimeString(document.documentElement.lang);
}

// A sign for each verdict: its shape says what its colour says.
export const SIGNS = { OK: "✓", NOT_OK: "✕", NOT_DECIDABLE: "?", UNDEFINED: "!" };

export function theme() {
  const kept = localStorage.getItem("theme");
  if (kept) document.documentElement.dataset.theme = kept;
  document.getElementById("theme")?.addEventListener("click", () => {
    const isDark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", document.documentElement.dataset.theme);
  });
}

export async function post(path, content) {
  const response = await fetch(path, {
    method: "POST", headers: { "content-type": "application/json", "x-datumd": "1" }, body: JSON.stringify(content),
  });
  const answer = await response.json().catch(() => ({ error: `${response.status}` }));
  return response.ok ? answer : { ...answer, error: answer.error || `${response.status}` };
}
