// From a file or a video to pixels of a size that a net takes.

// A browser's own limit lies somewhere above; what is larger is a mistake, or hostile.
const MOST_PIXELS = 120e6;

/** Decode a file, turned as its EXIF says. */
export async function decode(blob) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
  } catch {
    throw new Error("This file is no picture that the browser can read.");
  }
  if (bitmap.width * bitmap.height > MOST_PIXELS) {
    bitmap.close();
    throw new Error("This picture is too large.");
  }
  return bitmap;
}

/**
 * What to cut out of a picture, and the size to draw it at.
 *
 * A net of any size takes the picture with its longer side at most `limit`, cut to multiples of
 * what the net asks for, a few pixels at the edges. A net of one size takes the middle.
 *
 * @returns { x, y, width, height } of the source, { toWidth, toHeight } of the result.
 */
export function cut(width, height, limit, style) {
  if (style.size) {
    const [toHeight, toWidth] = style.size;
    return middle(width, height, toWidth, toHeight, Math.min(width / toWidth, height / toHeight));
  }
  const scale = Math.max(1, Math.max(width, height) / limit);
  const [toWidth, toHeight] = [width, height].map((side) => {
    const most = Math.round(side / scale);
    return most - (most % style.multiple);
  });
  if (Math.min(toWidth, toHeight) < Math.max(style.smallest, style.multiple)) {
    throw new Error("This picture is too small or too narrow.");
  }
  return middle(width, height, toWidth, toHeight, scale);
}

function middle(width, height, toWidth, toHeight, scale) {
  const [wide, high] = [Math.min(width, toWidth * scale), Math.min(height, toHeight * scale)];
  return {
    // Whole pixels where nothing is scaled, so that each stays itself.
    x: Math.floor((width - wide) / 2), y: Math.floor((height - high) / 2),
    width: wide, height: high, toWidth, toHeight,
  };
}

/** Draw the cut of a bitmap or video, and give its pixels; `mirrored` as in a mirror. */
export function pixels(source, width, height, limit, style, mirrored = false) {
  const part = cut(width, height, limit, style);
  const canvas = new OffscreenCanvas(part.toWidth, part.toHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  if (mirrored) {
    context.translate(part.toWidth, 0);
    context.scale(-1, 1);
  }
  context.drawImage(
    source, part.x, part.y, part.width, part.height, 0, 0, part.toWidth, part.toHeight);
  return context.getImageData(0, 0, part.toWidth, part.toHeight);
}
