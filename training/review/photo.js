// A photograph that can be zoomed, moved, and has points and a box drawn over it.
// Positions are px of the photograph as it is stored, centres of pixels at integers; `scale` is px of the screen to one of them.
"use strict";

const COLOURS = { 2: "#4ce06a", 1: "#ffb02e", 0: "#a0a0a0" };  // visible, hidden, missing
const GRAB_PX = 14;

class Photo {
  // on: { points() -> [{name, x, y, v, doubt}], box() -> [x, y, w, h] | null, selected() -> index | -1,
  //       select(index), moved(index), clicked(x, y), boxed(box) }
  constructor(canvas, on) {
    this.canvas = canvas; this.on = on; this.image = new Image(); this.wh = [1, 1];
    this.scale = 1; this.left = 0; this.top = 0; this.drag = null; this.boxing = false; this.cursor = null;
    this.image.onload = () => { this.canvas.dataset.loaded = this.image.src.length; this.fit(); };
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointerleave", () => { this.cursor = null; this.draw(); });
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    new ResizeObserver(() => this.fit()).observe(canvas);
  }

  show(source, wh) { this.wh = wh; delete this.canvas.dataset.loaded; this.image.src = source; }

  fit() {
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    this.canvas.width = wide * devicePixelRatio; this.canvas.height = high * devicePixelRatio;
    this.scale = Math.min(wide / this.wh[0], high / this.wh[1]);
    this.left = (wide - this.wh[0] * this.scale) / 2; this.top = (high - this.wh[1] * this.scale) / 2;
    this.draw();
  }

  look(x, y, scale) {  // the place in the middle, this much larger
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    this.scale = scale; this.left = wide / 2 - (x + 0.5) * scale; this.top = high / 2 - (y + 0.5) * scale;
    this.draw();
  }

  toScreen(x, y) { return [(x + 0.5) * this.scale + this.left, (y + 0.5) * this.scale + this.top]; }

  toPhoto(event) {
    const at = this.canvas.getBoundingClientRect();
    return [(event.clientX - at.left - this.left) / this.scale - 0.5, (event.clientY - at.top - this.top) / this.scale - 0.5];
  }

  inside(x, y) {
    return [Math.min(Math.max(x, -0.5), this.wh[0] - 0.5), Math.min(Math.max(y, -0.5), this.wh[1] - 0.5)];
  }

  nearest(event) {
    const at = this.canvas.getBoundingClientRect();
    let best = -1, least = GRAB_PX;
    this.on.points().forEach((point, index) => {
      if (point.x === null) return;
      const [x, y] = this.toScreen(point.x, point.y);
      const away = Math.hypot(x - (event.clientX - at.left), y - (event.clientY - at.top));
      if (away < least) { best = index; least = away; }
    });
    return best;
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    const index = this.boxing ? -1 : this.nearest(event);
    const [x, y] = this.toPhoto(event);
    this.drag = { index, x, y, clientX: event.clientX, clientY: event.clientY, left: this.left, top: this.top, far: false };
    if (index >= 0) {
      const point = this.on.points()[index];  // held where it was taken, so that a click moves nothing
      this.drag.dx = point.x - x; this.drag.dy = point.y - y;
      this.on.select(index);
    }
  }

  move(event) {
    this.cursor = this.toPhoto(event);
    const drag = this.drag;
    if (drag) {
      if (Math.hypot(event.clientX - drag.clientX, event.clientY - drag.clientY) > 3) drag.far = true;
      if (drag.far && drag.index >= 0) {
        const point = this.on.points()[drag.index];
        [point.x, point.y] = this.inside(this.cursor[0] + drag.dx, this.cursor[1] + drag.dy);
        this.on.moved(drag.index);
      } else if (drag.far && this.boxing) {
        const [x0, y0] = this.inside(drag.x, drag.y), [x1, y1] = this.inside(...this.cursor);
        this.on.boxed([Math.min(x0, x1) + 0.5, Math.min(y0, y1) + 0.5, Math.abs(x1 - x0), Math.abs(y1 - y0)]);
      } else if (drag.far) {
        this.left = drag.left + event.clientX - drag.clientX; this.top = drag.top + event.clientY - drag.clientY;
      }
    }
    this.draw();
  }

  up(event) {
    const drag = this.drag; this.drag = null;
    if (!drag) return;
    if (this.boxing && drag.far) this.boxing = false;
    else if (!drag.far && drag.index < 0) {
      const [x, y] = this.toPhoto(event);
      if (x >= -0.5 && y >= -0.5 && x <= this.wh[0] - 0.5 && y <= this.wh[1] - 0.5) this.on.clicked(x, y);
    }
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    const at = this.canvas.getBoundingClientRect(), [x, y] = this.toPhoto(event);
    this.scale = Math.min(Math.max(this.scale * Math.exp(-event.deltaY * 0.0015), 0.02), 60);
    this.left = event.clientX - at.left - (x + 0.5) * this.scale; this.top = event.clientY - at.top - (y + 0.5) * this.scale;
    this.draw();
  }

  draw() {
    const pen = this.canvas.getContext("2d");
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    pen.imageSmoothingEnabled = this.scale < 3;
    if (this.image.naturalWidth) {
      pen.drawImage(this.image, this.left, this.top, this.wh[0] * this.scale, this.wh[1] * this.scale);
    }
    const box = this.on.box();
    if (box) {
      pen.strokeStyle = "#5aa0ff"; pen.lineWidth = 1;
      pen.strokeRect(box[0] * this.scale + this.left, box[1] * this.scale + this.top, box[2] * this.scale, box[3] * this.scale);
    }
    const taken = this.on.points().filter((point) => point.x !== null).map((point) => {  // no name covers a point
      const [x, y] = this.toScreen(point.x, point.y);
      return [x - 9, y - 9, x + 9, y + 9];
    });
    this.on.points().forEach((point, index) => this.point(pen, point, index === this.on.selected(), taken));
    if (this.drag && this.drag.far && this.drag.index >= 0) this.loupe(pen, this.on.points()[this.drag.index]);
  }

  point(pen, point, chosen, taken) {
    if (point.x === null) return;
    const [x, y] = this.toScreen(point.x, point.y), colour = COLOURS[point.v], far = 9;
    for (const [width, shade] of [[4, "#000b"], [1.5, colour]]) {
      pen.lineWidth = width; pen.strokeStyle = shade;
      pen.setLineDash(point.v === 2 ? [] : [3, 3]);
      pen.beginPath(); pen.arc(x, y, far - 2, 0, 7); pen.stroke(); pen.setLineDash([]);
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(x + 2 * dx, y + 2 * dy); pen.lineTo(x + far * dx, y + far * dy);
      }
      pen.stroke();
    }
    if (point.doubt) { pen.strokeStyle = "#ff4d4d"; pen.lineWidth = 2; pen.beginPath(); pen.arc(x, y, far + 4, 0, 7); pen.stroke(); }
    if (chosen) { pen.strokeStyle = "#fff"; pen.lineWidth = 1.5; pen.strokeRect(x - far - 8, y - far - 8, 2 * far + 16, 2 * far + 16); }
    this.name(pen, point.name, x, y, far + 6, colour, chosen, taken);
  }

  name(pen, text, x, y, away, colour, chosen, taken) {
    pen.font = `${chosen ? "bold " : ""}12px system-ui, sans-serif`; pen.textBaseline = "middle";
    const wide = pen.measureText(text).width + 8, high = 16;
    let at = null;
    for (const [left, top] of [[x + away, y - high / 2], [x - away - wide, y - high / 2], [x - wide / 2, y - away - high],
      [x - wide / 2, y + away], [x + away, y - away - high], [x - away - wide, y + away]]) {
      const one = [left, top, left + wide, top + high];
      if (!taken.some((b) => one[0] < b[2] && b[0] < one[2] && one[1] < b[3] && b[1] < one[3])) { at = one; break; }
    }
    if (!at && !chosen) return;  // zoomed in there is room for it
    at = at || [x + away, y - high / 2, x + away + wide, y + high / 2];
    taken.push(at);
    pen.fillStyle = "#000a"; pen.fillRect(at[0], at[1], wide, high);
    pen.fillStyle = colour; pen.fillText(text, at[0] + 4, at[1] + high / 2 + 1);
  }

  loupe(pen, point) {  // what is under the hand, larger than it is shown
    const side = 170, zoom = Math.max(5, 2 * this.scale), span = side / zoom, ratio = this.image.naturalWidth / this.wh[0];
    const sx = this.toScreen(point.x, point.y)[0], { clientWidth: wide } = this.canvas;
    const left = sx > wide / 2 ? 12 : wide - side - 12, top = 12;
    pen.fillStyle = "#111"; pen.fillRect(left, top, side, side);
    pen.imageSmoothingEnabled = false;
    pen.save(); pen.beginPath(); pen.rect(left, top, side, side); pen.clip();
    pen.drawImage(this.image, (point.x + 0.5 - span / 2) * ratio, (point.y + 0.5 - span / 2) * ratio, span * ratio, span * ratio,
      left, top, side, side);
    pen.restore();
    pen.strokeStyle = "#fff"; pen.lineWidth = 1; pen.strokeRect(left, top, side, side);
    pen.strokeStyle = COLOURS[point.v]; pen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(left + side / 2 + 4 * dx, top + side / 2 + 4 * dy);
      pen.lineTo(left + side / 2 + 24 * dx, top + side / 2 + 24 * dy);
    }
    pen.stroke();
  }
}

function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name; link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function made(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}
