// Runs the net, away from the page's own thread. One message in, one answer out, by `id`.

import { toPixels, toTensor } from "./tensor.js";

const ORT = new URL("./ort/", import.meta.url);
const GPU = { api: "ort.webgpu.min.mjs", build: "ort-wasm-simd-threaded.asyncify" };
const CPU = { api: "ort.wasm.min.mjs", build: "ort-wasm-simd-threaded" };
const MOST_THREADS = 8;

let ort = null;
let backend = null; // { kind: "webgpu" | "wasm", threads }
let session = null;

// Why WebGPU does not run a model, by its precision.
const LACKS = {
  any: "This browser has no WebGPU.",
  fp16: "This browser's WebGPU has no float16.",
  int8: "WebGPU runs no int8 models; the processor does.",
};

const actions = { start, load, run, paint };

self.addEventListener("message", async ({ data: { id, action, args } }) => {
  try {
    const [result, moved] = await actions[action](args, (done, of) =>
      self.postMessage({ id, progress: { done, of } }));
    self.postMessage({ id, result }, moved ?? []);
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
});

/** Load the runtime. `want`: "auto", "webgpu" or "wasm"; `threads`: 0 for as many as are good. */
async function start({ want, threads, precision }, report) {
  const gpu = want !== "wasm" && await hasGpu(precision, want);
  if (want === "webgpu" && !gpu) throw new Error(LACKS[navigator.gpu && precision] ?? LACKS.any);
  const { api, build } = gpu ? GPU : CPU;
  ort = await import(new URL(api, ORT));
  const most = self.crossOriginIsolated ? threads || usualThreads() : 1;
  ort.env.wasm.numThreads = gpu ? 1 : most;
  ort.env.wasm.wasmPaths = { mjs: new URL(`${build}.mjs`, ORT).href };
  ort.env.wasm.wasmBinary = await fetched(new URL(`${build}.wasm`, ORT), report);
  ort.env.logLevel = "error";
  backend = { kind: gpu ? "webgpu" : "wasm", threads: gpu ? 0 : most };
  return [backend];
}

/**
 * Whether WebGPU can run such a net: integers it leaves to the processor, copy by copy. One that is
 * made of software is slower than WebAssembly, and taken where it is wanted alone.
 */
async function hasGpu(precision, want) {
  if (!navigator.gpu || precision === "int8") return false;
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter || (adapter.info?.isFallbackAdapter && want !== "webgpu")) return false;
  return precision !== "fp16" || adapter.features.has("shader-f16");
}

function usualThreads() {
  const cores = navigator.hardwareConcurrency || 1;
  // Of many cores, half are often the slow ones or the other halves of the same.
  return Math.min(cores <= 4 ? cores : Math.ceil(cores / 2), MOST_THREADS);
}

/** Take another model. */
async function load({ url }, report) {
  const model = await fetched(new URL(url), report);
  const next = await ort.InferenceSession.create(model, {
    executionProviders: backend.kind === "webgpu" ? ["webgpu", "wasm"] : ["wasm"],
  });
  await session?.release();
  session = next;
  return [null];
}

/** Float planes in, float planes out, and the seconds that the net took. */
async function run({ data, dims }) {
  const output = await infer(new ort.Tensor("float32", data, dims));
  return [output, [output.data.buffer]];
}

/** RGBA bytes in, RGBA bytes out, and the seconds that the net took. */
async function paint({ rgba, height, width }) {
  const input = new ort.Tensor("float32", toTensor(rgba, height, width), [1, 3, height, width]);
  const { data, dims, seconds } = await infer(input);
  if (dims[2] !== height || dims[3] !== width) throw new Error("The net gave another size.");
  const pixels = toPixels(data, rgba);
  return [{ rgba: pixels, seconds }, [pixels.buffer]];
}

async function infer(input) {
  const began = performance.now();
  const { stylized } = await session.run({ image: input });
  const data = await stylized.getData();
  const seconds = (performance.now() - began) / 1000;
  // What lies in the memory of WebAssembly cannot be handed over.
  const own = data.buffer.byteLength === data.byteLength ? data : data.slice();
  const dims = [...stylized.dims];
  stylized.dispose();
  return { data: own, dims, seconds };
}

/** A file's bytes, with progress. */
async function fetched(url, report) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname.split("/").pop()} cannot be fetched.`);
  const of = Number(answer.headers.get("Content-Length")) || 0;
  const parts = [];
  let done = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { value, done: over } = await reader.read();
    if (over) break;
    parts.push(value);
    done += value.length;
    report(done, of);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
