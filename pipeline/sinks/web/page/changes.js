// What is to be written into the recipe: one value at each place, the newest counts.

import { element, word } from "/page/words.js";

export class Changes {
  constructor(place, told) {
    [this.place, this.told, this.kept] = [place, told, new Map()];
  }

  put(path, value) {
    this.kept.set(path.join("\n"), { path, value });
    this.show();
  }

  at(path) {
    return this.kept.get(path.join("\n"))?.value;
  }

  edits() {
    return [...this.kept.values()];
  }

  clear() {
    this.kept.clear();
    this.show();
  }

  show() {
    this.place.replaceChildren(...(this.kept.size ? this.edits().map(({ path, value }) => {
      const name = path.join(".");
      const remove = element("button", { type: "button", "aria-label": `${word("remove")} ${name}` }, "✕");
      remove.addEventListener("click", () => { this.kept.delete(path.join("\n")); this.show(); });
      return element("li", {}, element("code", {}, `${name} = ${value === null ? "–" : JSON.stringify(value)}`), " ", remove);
    }) : [element("li", { class: "none" }, word("changes_none"))]));
    this.told();
  }
}
