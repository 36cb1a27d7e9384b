// Keeps the page for times without a network. A new export has another VERSION, by which browsers
// notice it.

const VERSION = "__VERSION__";
const CACHE = `sttk ${self.registration.scope}`;
const SCOPE = new URL(self.registration.scope);
// What the page loads when it needs it, of which most browsers need but a part.
const LARGE = /^ort\//;
const PATIENCE = 4000; // milliseconds

// Threads in WebAssembly need these. A server that does not send them does so from the second
// visit on, through here.
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(SCOPE.href)) event.respondWith(answer(event));
});

async function install() {
  const listed = await fetch(new URL("page.json", SCOPE), { cache: "no-store" });
  const files = Object.keys((await listed.clone().json()).files);
  const cache = await caches.open(CACHE);
  await cache.put(new URL("page.json", SCOPE), listed);
  const small = files.filter((file) => !LARGE.test(file)).map((file) => new URL(file, SCOPE).href);
  await Promise.all(small.map(async (url) => {
    await cache.put(url, await whole(await fetch(url, { cache: "no-cache" })));
  }));
  await self.skipWaiting();
}

/** Forget what is no longer of the page. */
async function activate() {
  const cache = await caches.open(CACHE);
  const listed = await cache.match(new URL("page.json", SCOPE));
  const names = ["page.json", "sw.js", ...Object.keys((await listed.json()).files)];
  const kept = new Set(names.map((name) => new URL(name, SCOPE).href));
  for (const request of await cache.keys()) if (!kept.has(request.url)) await cache.delete(request);
  await self.clients.claim();
}

/** From the network, which may have another page by now; without one, or a slow one, what is kept. */
async function answer(event) {
  const { request } = event;
  const key = keyOf(request.url);
  const cache = await caches.open(CACHE);
  const kept = await cache.match(key);
  try {
    const fresh = await soon(fetch(request.url, { cache: "no-cache" }), kept);
    if (fresh.status === 200) event.waitUntil(cache.put(key, fresh.clone()).catch(() => {}));
    return isolated(fresh);
  } catch (error) {
    if (kept) return isolated(kept);
    throw error;
  }
}

/** The page itself is index.html. */
function keyOf(address) {
  const url = new URL(address);
  url.search = url.hash = "";
  return url.pathname.endsWith("/") ? new URL("index.html", url).href : url.href;
}

async function whole(response) {
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  return response;
}

/** What is asked for; if there is a copy, no longer than people have patience. */
function soon(asked, kept) {
  if (!kept) return asked;
  const late = new Promise((_, reject) => setTimeout(reject, PATIENCE, new Error("late")));
  return Promise.race([asked, late]);
}

function isolated(response) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
