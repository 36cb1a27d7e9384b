// The camera: started, turned round, stopped. Nothing of it leaves the page.

const REASONS = {
  NotAllowedError: "The camera is not allowed here. Allow it in the browser's settings of this page.",
  NotFoundError: "There is no camera.",
  NotReadableError: "The camera is in use by another program.",
  OverconstrainedError: "There is no such camera.",
};

export class Camera {
  /** "user" (front) or "environment" (back): what was asked for last. */
  facing = "user";
  #video = document.createElement("video");
  #stream = null;

  constructor() {
    this.#video.muted = true;
    this.#video.playsInline = true;
  }

  get running() {
    return this.#stream !== null;
  }

  /** The video that shows what the camera sees. */
  get video() {
    return this.#video;
  }

  /** Whether people expect to see themselves as in a mirror. */
  get mirrored() {
    const [track] = this.#stream?.getVideoTracks() ?? [];
    return track?.getSettings().facingMode === "user";
  }

  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("The camera needs a page from https, or from this machine (localhost).");
    }
    this.stop();
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: this.facing, width: { ideal: 1280 }, height: { ideal: 720 } },
      });
      this.#video.srcObject = this.#stream;
      await this.#video.play();
    } catch (error) {
      this.stop();
      throw new Error(REASONS[error.name] ?? "The camera cannot be started.");
    }
  }

  async flip() {
    this.facing = this.facing === "user" ? "environment" : "user";
    await this.start();
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#video.srcObject = null;
  }

  /** Whether there is more than one to turn to. */
  async several() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({ kind }) => kind === "videoinput").length > 1;
  }
}
