/** Words with a halo of the paper around them, each drawn once: outlines of letters take long. */

const HALO = 4; // points around the letters

export class Stamps {
  constructor() {
    this.known = new Map();
  }

  /** Draw a word; its middle is at a height, and its "left", "center" or "right" at a place across. */
  draw(pen, text, font, [x, y], align, ink, paper) {
    const stamp = this.stamp(text, font, ink, paper);
    const left = { left: HALO, center: stamp.width / 2, right: stamp.width - HALO }[align];
    pen.drawImage(stamp.canvas, x - left, y - stamp.height / 2, stamp.width, stamp.height);
  }

  stamp(text, font, ink, paper) {
    const density = window.devicePixelRatio || 1;
    const key = [text, font, ink, paper, density].join("|");
    if (!this.known.has(key)) this.known.set(key, made(text, font, ink, paper, density));
    return this.known.get(key);
  }
}

function made(text, font, ink, paper, density) {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  pen.font = font;
  const width = Math.ceil(pen.measureText(text).width) + 2 * HALO;
  const height = 2 * parseFloat(font.match(/([\d.]+)px/)[1]);
  [canvas.width, canvas.height] = [Math.ceil(width * density), Math.ceil(height * density)];
  pen.scale(density, density);
  Object.assign(pen, { font, textBaseline: "middle", lineJoin: "round", lineWidth: HALO, strokeStyle: paper, fillStyle: ink });
  pen.strokeText(text, HALO, height / 2);
  pen.fillText(text, HALO, height / 2);
  return { canvas, width, height };
}
