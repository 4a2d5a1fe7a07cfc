// Shapes in whole pixels of the usual photograph, as the API writes them: box:X,Y,WIDTH,HEIGHT and polygon:X,Y,X,Y,X,Y.

/** A shape of its text; null where it is none. */
export function parsed(text) {
  const found = /^(box|polygon):(\d+(?:,\d+)*)$/.exec(text);
  if (!found) return null;
  const numbers = found[2].split(",").map(Number);
  const whole = found[1] === "box" ? numbers.length === 4 : numbers.length >= 6 && numbers.length % 2 === 0;
  return whole ? {kind: found[1], numbers} : null;
}

export function written({kind, numbers}) {
  return `${kind}:${numbers.join(",")}`;
}

/** The box between two places, whole pixels inside a photograph of `size` = [width, height]. */
export function boxBetween([x, y], [right, bottom], size) {
  const [left, end] = [Math.min(x, right), Math.max(x, right)].map((one) => clamp(Math.round(one), 0, size[0]));
  const [top, foot] = [Math.min(y, bottom), Math.max(y, bottom)].map((one) => clamp(Math.round(one), 0, size[1]));
  return {kind: "box", numbers: [left, top, end - left, foot - top]};
}

/** The polygon with these corners, each a pixel inside the photograph. */
export function polygonOf(corners, size) {
  const numbers = corners.flatMap(([x, y]) => [clamp(Math.floor(x), 0, size[0] - 1), clamp(Math.floor(y), 0, size[1] - 1)]);
  return {kind: "polygon", numbers};
}

/** The corners of a polygon as a person types them, "12,30 80,30 40,90". */
export function cornersInWords({numbers}) {
  return numbers.map((one, place) => one + (place % 2 ? " " : ",")).join("").trim();
}

/** The outline of a shape, as the points of an SVG polygon in pixels of the photograph. */
export function outline({kind, numbers}) {
  if (kind === "polygon") return numbers.map((one) => one + 0.5).join(" ");
  const [x, y, width, height] = numbers;
  return [x, y, x + width, y, x + width, y + height, x, y + height].join(" ");
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
