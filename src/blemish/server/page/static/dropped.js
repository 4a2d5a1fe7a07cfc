// Photographs that people drop, paste or choose: files, and all that folders hold.

const PHOTOGRAPHS = /\.(png|jpe?g|bmp|tiff?|webp|pnm|pgm|ppm|gif|jp2|avif|heic|heif)$/i;

/** Whether a file of a folder looks like a photograph by its name. */
export function isPhotograph(file) {
  return PHOTOGRAPHS.test(file.name);
}

/** All files of a drop or a paste, those inside folders too where they are `wanted`, by their paths in order. */
export async function filesOf(transfer, wanted = isPhotograph) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() || item.getAsFile());
  const found = [];
  for (const entry of entries.filter(Boolean)) found.push(...await inside(entry, true, wanted));
  return found;
}

async function inside(entry, named, wanted) {
  if (entry instanceof File) return [entry];
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    Object.defineProperty(file, "path", {value: entry.fullPath.slice(1)});
    return named || wanted(file) ? [file] : []; // what is dropped by itself is told when it is none
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // a hundred at a time
    if (some.length === 0) break;
    found.push(...some);
  }
  found.sort((one, other) => one.name.localeCompare(other.name, "en", {numeric: true}));
  const files = [];
  for (const one of found) files.push(...await inside(one, false, wanted));
  return files;
}
