// The page: what its buttons do, and what it says.

import { Camera } from "./camera.js";
import { Engine, facts, urlOf } from "./engine.js";
import { keepOffline } from "./offline.js";
import { decode, pixels } from "./picture.js";

const at = (id) => document.getElementById(id);
const canvas = at("canvas");
const context = canvas.getContext("2d");
export const camera = new Camera();
// A still may take seconds; what moves may not.
const limits = { still: 512, live: 256 };
const FPS_OVER = 2000; // milliseconds

export let engine = null;
let page = null;
let still = null; // the picture as it was chosen: a bitmap
let before = null; // ImageData that the net was given
let after = null; // ImageData that it gave
let asked = 0; // how often a still was asked for: what is out of date is not shown
let streams = 0; // how often the camera was started

/** What the net was given last, and what it gave: ImageData. */
export const shown = () => ({ before, after });

/** Once the page can paint: null, or why it cannot. */
export const started = begin();

async function begin() {
  try {
    page = await facts();
    showStyles();
    const wanted = new URLSearchParams(location.search);
    const kept = wanted.get("offline") !== "no" && await keepOffline();
    engine = await Engine.make({
      want: wanted.get("backend") ?? "auto",
      threads: Number(wanted.get("threads")) || 0,
      precision: page.styles[0].precision,
      onProgress: (share) => {
        if (!at("loading").hidden) showProgress(share, "Loading the engine");
      },
    });
    await engine.load(chosen());
    showBackend();
    at("offline").textContent = kept ? "ready" : "not in this browser or address";
    ready();
    return null;
  } catch (error) {
    showProgress(null);
    complain(`This browser cannot run the page: ${error.message}`);
    return error.message;
  }
}

function ready() {
  showProgress(null);
  for (const id of ["file", "camera", "example"]) at(id).disabled = false;
  at("size-row").hidden = Boolean(chosen().size);
  showLimit();
  say("Ready. Choose a picture.");
}

// Styles.

function showStyles() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  const first = Math.max(0, page.styles.findIndex(({ name }) => name === wanted));
  page.styles.forEach((style, index) => {
    const input = Object.assign(document.createElement("input"), {
      type: "radio", name: "style", value: style.name, checked: index === first,
      className: "visually-hidden",
    });
    const picture = Object.assign(document.createElement("img"), {
      src: urlOf(style, style.picture), alt: "", width: 80, height: 80,
    });
    const text = Object.assign(document.createElement("span"), { textContent: style.title });
    const label = document.createElement("label");
    label.append(input, picture, text);
    at("styles").append(label);
  });
  at("styles").addEventListener("change", changeStyle);
}

function chosen() {
  const { value } = document.querySelector("input[name=style]:checked");
  return page.styles.find(({ name }) => name === value);
}

async function changeStyle() {
  if (!engine) return;
  const style = chosen();
  history.replaceState(null, "", `#${encodeURIComponent(style.name)}`);
  const mine = ++asked;
  await trying(async () => {
    busy(true);
    say(`Loading the style ${style.title}.`);
    await engine.load(style);
    showBackend();
    if (mine !== asked) return;
    busy(false);
    at("size-row").hidden = Boolean(style.size);
    if (still) await paintStill();
    else say(`The style is ${style.title}.`);
  });
}

// A still picture.

async function take(blob) {
  stopCamera();
  await trying(async () => {
    still = await decode(blob);
    await paintStill();
  });
}

async function paintStill() {
  const mine = ++asked;
  const style = chosen();
  busy(true);
  say(`Painting in the style ${style.title}.`);
  before = pixels(still, still.width, still.height, limits.still, style);
  after = null;
  showFrame();
  draw(before);
  const { image, seconds } = await engine.paint(before);
  if (mine !== asked) return;
  after = image;
  showOriginal(false);
  draw(after);
  for (const id of ["save", "original"]) at(id).disabled = false;
  showSpeed(`${seconds.toFixed(2)} s`, `${(1 / seconds).toFixed(1)} FPS`);
  busy(false);
  say(`Painted in the style ${style.title} in ${seconds.toFixed(1)} seconds.`);
}

// The camera.

async function startCamera() {
  if (camera.running) {
    stopCamera();
    say("The camera is off.");
    return;
  }
  await trying(async () => {
    say("Starting the camera.");
    await camera.start();
    still = after = null;
    showOriginal(false);
    showCamera(true);
    at("flip").hidden = !(await camera.several());
    say("The camera is on.");
    live();
  });
}

/** Paint frames as fast as they can be painted, the newest each time. */
async function live() {
  const mine = ++streams;
  const times = [];
  try {
    while (camera.running && mine === streams) {
      const { video } = camera;
      before = pixels(
        video, video.videoWidth, video.videoHeight, limits.live, chosen(), camera.mirrored);
      showFrame();
      const { image } = await engine.paint(before);
      if (!camera.running || mine !== streams) return;
      after = image;
      draw(at("original").getAttribute("aria-pressed") === "true" ? before : after);
      countFrame(times);
      // Room for what the user does.
      await new Promise((resolve) => setTimeout(resolve));
    }
  } catch (error) {
    stopCamera();
    complain(error.message);
  }
}

/** The speed of the last two seconds. */
function countFrame(times) {
  const now = performance.now();
  times.push(now);
  while (times.length > 2 && now - times[0] > FPS_OVER) times.shift();
  for (const id of ["save", "original"]) at(id).disabled = false;
  if (times.length < 2) return;
  const fps = (times.length - 1) / ((now - times[0]) / 1000);
  showSpeed(`${fps < 10 ? fps.toFixed(1) : Math.round(fps)} FPS`);
}

/** Keep what the camera sees now, at the size of a still. */
async function shoot() {
  await trying(async () => {
    const { video, mirrored } = camera;
    const shot = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const onto = shot.getContext("2d");
    if (mirrored) {
      onto.translate(shot.width, 0);
      onto.scale(-1, 1);
    }
    onto.drawImage(video, 0, 0);
    stopCamera();
    still = await createImageBitmap(shot);
    await paintStill();
  });
}

function stopCamera() {
  camera.stop();
  showCamera(false);
}

function showCamera(on) {
  at("camera").textContent = on ? "Stop camera" : "Use camera";
  at("choose").classList.toggle("primary", !on);
  at("shoot").hidden = !on;
  if (!on) at("flip").hidden = true;
  busy(false);
  showLimit();
}

// What is shown.

function draw(image) {
  if (canvas.width !== image.width || canvas.height !== image.height) {
    canvas.width = image.width;
    canvas.height = image.height;
    at("frame").style.setProperty("--ratio", image.width / image.height);
  }
  context.putImageData(image, 0, 0);
  at("dimensions").textContent = `${image.width} × ${image.height} pixels`;
  const what = image === before ? "The original" : `Your picture in the style ${chosen().title}`;
  const label = `${what}, ${image.width} by ${image.height} pixels`;
  if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label);
}

function showFrame() {
  at("frame").hidden = false;
  at("empty").hidden = true;
}

function showOriginal(on) {
  at("original").setAttribute("aria-pressed", String(on));
  if (before && after) draw(on ? before : after);
}

function showSpeed(...figures) {
  at("speed").textContent = figures.join(", ");
  at("facts").textContent = [
    figures[0], at("backend").textContent, `${canvas.width} × ${canvas.height}`,
  ].join(" · ");
}

function showBackend() {
  const { kind, threads } = engine.backend;
  const count = threads === 1 ? "1 thread" : `${threads} threads`;
  at("backend").textContent = kind === "webgpu" ? "WebGPU" : `WebAssembly, ${count}`;
}

function showLimit() {
  at("size").value = String(camera.running ? limits.live : limits.still);
}

function showProgress(share, text) {
  at("loading").hidden = share === null;
  at("empty").hidden = share !== null;
  if (share === null) {
    at("stage").removeAttribute("aria-busy");
    return;
  }
  at("progress").value = share;
  at("loading-text").textContent = text;
}

function busy(on) {
  at("frame").classList.toggle("busy", on);
  at("stage").setAttribute("aria-busy", String(on));
}

/** For everybody, screen readers included; never once a frame. */
function say(text) {
  at("status").textContent = text;
  complain("");
}

function complain(text) {
  at("alert").textContent = text;
  at("alert").hidden = !text;
  if (text) at("status").textContent = "";
}

async function trying(work) {
  try {
    await work();
  } catch (error) {
    busy(false);
    complain(error.message);
  }
}

async function save() {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(blob), download: `${chosen().name}.png`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say(`Saved as ${link.download}.`);
}

// What users do.

at("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  if (file) take(file);
  target.value = ""; // the same file may be chosen again
});
at("example").addEventListener("click", () => trying(async () => {
  const answer = await fetch(new URL("./example.jpg", import.meta.url));
  await take(await answer.blob());
  at("save").focus(); // the button that had the focus is gone
}));
at("camera").addEventListener("click", startCamera);
at("flip").addEventListener("click", () => trying(async () => {
  await camera.flip();
  live();
}));
at("shoot").addEventListener("click", shoot);
at("save").addEventListener("click", () => trying(save));
at("original").addEventListener("click", ({ currentTarget }) =>
  showOriginal(currentTarget.getAttribute("aria-pressed") !== "true"));
at("size").addEventListener("change", ({ target }) => {
  limits[camera.running ? "live" : "still"] = Number(target.value);
  if (still) trying(paintStill);
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden && camera.running) {
    stopCamera();
    say("The camera was turned off while the page was hidden.");
  }
});

const stage = at("stage");
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    stage.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    stage.classList.remove("over");
  });
}
document.addEventListener("drop", ({ dataTransfer }) => {
  const [file] = dataTransfer.files;
  if (file && engine) take(file);
});
document.addEventListener("paste", ({ clipboardData }) => {
  const [file] = clipboardData.files;
  if (file && engine) take(file);
});
