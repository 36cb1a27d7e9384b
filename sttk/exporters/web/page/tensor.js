// Pixels to what a net takes, and back: (1, 3, H, W) float32, RGB, 0 to 255.

/** RGBA bytes -> planes of red, green and blue. */
export function toTensor(rgba, height, width) {
  const area = height * width;
  const tensor = new Float32Array(3 * area);
  for (let i = 0, from = 0; i < area; i++, from += 4) {
    tensor[i] = rgba[from];
    tensor[area + i] = rgba[from + 1];
    tensor[2 * area + i] = rgba[from + 2];
  }
  return tensor;
}

/** Planes -> RGBA bytes, rounded to the nearest, with the opacity of `rgba`, which is changed. */
export function toPixels(tensor, rgba) {
  const area = rgba.length / 4;
  for (let i = 0, to = 0; i < area; i++, to += 4) {
    rgba[to] = tensor[i]; // a clamped array rounds, half to even
    rgba[to + 1] = tensor[area + i];
    rgba[to + 2] = tensor[2 * area + i];
  }
  return rgba;
}
