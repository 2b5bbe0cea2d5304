// The newest picture of each view. A picture that loads slowly is not overtaken: what came meanwhile is left out.

import { fit, overlay } from "/page/overlay.js";
import { element, word } from "/page/words.js";

export class Views {
  constructor(place) {
    this.place = place;
    this.frames = new Map();
    this.isLoading = false;
    new ResizeObserver(() => { for (const svg of place.querySelectorAll("svg")) fit(svg); }).observe(place);
  }

  // Returns whether the part could be taken: False while the pictures of the one before are on their way.
  async show(page, put) {
    if (this.isLoading) return false;
    this.isLoading = true;
    try {
      const views = Object.entries(page.pictures);
      const loaded = await Promise.all(views.map(async ([view, note]) => [view, note, await pictureAt(note.url)]));
      put();
      for (const frame of this.frames.values()) frame.classList.add("old");
      for (const [view, note, image] of loaded) if (image) this.put(page, view, note, image);
      document.getElementById("latest").classList.toggle("without", !loaded.some(([, , image]) => image));
    } finally {
      this.isLoading = false;
    }
    return true;
  }

  put(page, view, note, image) {
    if (!this.frames.has(view)) {
      const frame = element("figure", { "data-view": view });
      this.frames.set(view, frame);
      this.place.append(frame);
    }
    const frame = this.frames.get(view);
    image.alt = word("picture_of", { name: view });
    frame.style.setProperty("--ratio", note.area[2] / note.area[3]);
    const svg = overlay(page, view, note.area);
    frame.replaceChildren(image, svg, element("figcaption", {}, view));
    frame.classList.remove("old");
    frame.dataset.shown = note.url;
    fit(svg);
  }
}

export async function pictureAt(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return image;
  } catch {
    return null; // it is kept no more, or was cut off
  }
}
