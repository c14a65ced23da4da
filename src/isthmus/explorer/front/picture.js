/** Numbers of a picture, (channels, height, width), on a canvas. */

/** Draw values, of which `low` is dark and `high` is bright; NaN is left out. */
export function paint(canvas, values, shape, low = 0, high = 1) {
  const [channels, height, width] = shape;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(width, height);
  const area = width * height;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) {
      const value = values[(channels === 3 ? c : 0) * area + i];
      image.data[4 * i + c] = 255 * Math.min(Math.max((value - low) / (high - low), 0), 1);
    }
    image.data[4 * i + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
}
