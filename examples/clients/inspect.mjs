// Judge photographs with an exported inspector in JavaScript, by ONNX Runtime Web: in Node as here, or in a browser.
//
//   blemish export part.blemish --out part.onnx
//   npm install onnxruntime-web
//   node inspect.mjs part.onnx photograph.ppm ...
//
// Photographs are binary PPM here, so that nothing else is needed. In a browser the pixels come from a canvas:
// `context.getImageData(0, 0, width, height).data`, without every fourth value, which is alpha.

import { readFile } from "node:fs/promises";
import process from "node:process";
import * as ort from "onnxruntime-web";

const WORDS = ["pass", "review", "reject"];

/** Height, width and RGB pixels of a binary PPM. */
async function readPpm(path) {
  const content = await readFile(path);
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(content.subarray(0, 64).toString("latin1"));
  if (!head) throw new Error(`${path} is no binary PPM of 8 bits`);
  const [width, height] = [Number(head[1]), Number(head[2])];
  const pixels = content.subarray(head[0].length);
  if (pixels.length !== width * height * 3) throw new Error(`${path} is cut short`);
  return { height, width, pixels: new Uint8Array(pixels) };
}

const [graph, ...photographs] = process.argv.slice(2);
if (!photographs.length) {
  console.error("Usage: node inspect.mjs GRAPH.onnx PHOTOGRAPH.ppm ...");
  process.exit(2);
}
try {
  const inspector = await ort.InferenceSession.create(await readFile(graph), { executionProviders: ["wasm"] });
  let rejected = false;
  for (const path of photographs) {
    const { height, width, pixels } = await readPpm(path);
    const said = await inspector.run({ photograph: new ort.Tensor("uint8", pixels, [height, width, 3]) });
    const verdict = said.verdict.data[0];
    rejected ||= verdict === 2;
    console.log(path, WORDS[verdict], said.score.data[0].toFixed(4), said.p_value.data[0].toFixed(6));
  }
  process.exit(rejected ? 1 : 0);
} catch (error) {
  console.error(error.message);
  process.exit(2);
}
