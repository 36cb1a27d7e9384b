// The service worker that keeps the page for times without a network.

const PATIENCE = 4000; // milliseconds

/**
 * Start it, and wait until it sees what the page fetches, so that it can keep it.
 *
 * @returns whether there is one. Browsers have none on pages from http, but for localhost.
 */
export async function keepOffline() {
  if (!("serviceWorker" in navigator)) return false;
  try {
    await navigator.serviceWorker.register(new URL("./sw.js", import.meta.url), { scope: "./" });
  } catch {
    return false; // private windows, some settings: the page works without
  }
  if (navigator.serviceWorker.controller) return true;
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true));
    setTimeout(() => resolve(Boolean(navigator.serviceWorker.controller)), PATIENCE);
  });
}
