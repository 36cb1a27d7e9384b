// The net, for the page: what worker.js does, as functions that answer with promises.

// Grey levels, root mean square: float16 stays far below, a wrong picture is tens above.
const MOST_OFF = 3;

/** Runs one style at a time. Make one with `Engine.make`, then `load` a style. */
export class Engine {
  /** What it runs on: { kind: "webgpu" | "wasm", threads }. */
  backend = null;
  /** The style that is loaded, of page.json. */
  style = null;

  #worker = null;
  #waiting = new Map();
  #count = 0;
  #options;
  #last = Promise.resolve();

  /**
   * @param options want: "auto", "webgpu" or "wasm"; threads: 0 for as many as are good;
   *   precision: of the nets; onProgress: told a share from 0 to 1.
   */
  static async make(options = {}) {
    const engine = new Engine(options);
    await engine.#start(engine.#options.want);
    return engine;
  }

  constructor(options) {
    this.#options = { want: "auto", threads: 0, precision: "fp32", onProgress: () => {}, ...options };
  }

  /** Load a style; where WebGPU cannot run it, WebAssembly does from now on. */
  load(style) {
    return this.#inTurn(async () => {
      const url = modelUrl(style);
      try {
        await this.#ask("load", { url });
        if (this.backend.kind === "webgpu") await this.#tryOut(style);
      } catch (error) {
        if (this.backend.kind !== "webgpu" || this.#options.want === "webgpu") throw error;
        await this.#start("wasm");
        await this.#ask("load", { url });
      }
      this.style = style;
    });
  }

  /** (B, 3, H, W) float32 -> { data, dims, seconds }. */
  run(data, dims) {
    return this.#inTurn(() => this.#ask("run", { data, dims }, [data.buffer]));
  }

  /** ImageData -> { image: ImageData, seconds }. */
  paint(image) {
    const { width, height } = image;
    return this.#inTurn(async () => {
      const rgba = image.data.slice();
      const done = await this.#ask("paint", { rgba, height, width }, [rgba.buffer]);
      return { image: new ImageData(done.rgba, width, height), seconds: done.seconds };
    });
  }

  /** One thing after the other: a net that is being replaced paints no picture. */
  #inTurn(work) {
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => {});
    return next;
  }

  async #start(want) {
    this.#worker?.terminate();
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => this.#answer(data));
    worker.addEventListener("error", () => this.#fail("The engine cannot be loaded."));
    this.#worker = worker;
    const { threads, precision } = this.#options;
    this.backend = await this.#ask("start", { want, threads, precision });
  }

  /**
   * Some GPUs and drivers take a net and then fail on it, or paint something else: the page knows
   * PyTorch's answer to one input.
   */
  async #tryOut({ check: { height, width, step, every, values } }) {
    const data = new Float32Array(3 * height * width).map((_, i) => (i * step) % 256);
    const output = await this.#ask("run", { data, dims: [1, 3, height, width] }, [data.buffer]);
    const squares = values.reduce((sum, value, i) => sum + (output.data[i * every] - value) ** 2, 0);
    const off = Math.sqrt(squares / values.length);
    if (!(off <= MOST_OFF)) throw new Error("WebGPU here does not compute what PyTorch does.");
  }

  #ask(action, args, moved = []) {
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, action, args }, moved);
    });
  }

  #answer({ id, result, error, progress }) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    if (progress) {
      this.#options.onProgress(progress.of ? progress.done / progress.of : 0);
      return;
    }
    this.#waiting.delete(id);
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(new Error(error));
  }

  #fail(message) {
    for (const { reject } of this.#waiting.values()) reject(new Error(message));
    this.#waiting.clear();
  }
}

/** page.json: { styles, files }. */
export async function facts() {
  const answer = await fetch(new URL("./page.json", import.meta.url));
  if (!answer.ok) throw new Error("page.json cannot be fetched.");
  return answer.json();
}

/** Where a file of a style lies. */
export function urlOf(style, name) {
  return new URL(style.folder ? `${style.folder}/${name}` : name, import.meta.url).href;
}

function modelUrl(style) {
  return urlOf(style, style.model);
}
