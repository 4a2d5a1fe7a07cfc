// A camera of this computer or phone, as a dialog that gives photographs.

import {element, say} from "./dom.js";

/** Why no camera can be opened here; an empty text where one can. */
export function cameraTrouble() {
  if (!window.isSecureContext) {
    return "Browsers give the camera only to https addresses and to this computer itself: start the server with " +
      "blemish serve --tls and open its https address, or put a proxy with https before it.";
  }
  return navigator.mediaDevices?.getUserMedia ? "" : "This browser has no camera: take another, or drop a photograph.";
}

export class Camera {
  /** `taken(file)` gets each photograph as a JPEG file. */
  constructor(taken) {
    this.taken = taken;
    this.video = element("video", {autoplay: true, playsinline: true, muted: true});
    this.choice = element("select", {"aria-label": "Camera"});
    this.note = element("p", {class: "note", hidden: true});
    this.shoot = element("button", {type: "button", class: "primary"}, "Take a photograph");
    this.dialog = element(
      "dialog",
      {class: "camera", "aria-label": "Camera"},
      this.video,
      this.note,
      element("div", {class: "row"}, this.shoot, this.choice, element("button", {type: "button", onclick: () => this.dialog.close()}, "Close")),
    );
    document.body.append(this.dialog);
    this.shoot.addEventListener("click", () => this.#take());
    this.choice.addEventListener("change", () => this.#start(this.choice.value));
    this.dialog.addEventListener("close", () => this.#stop());
  }

  async open() {
    this.dialog.showModal();
    const trouble = cameraTrouble();
    this.shoot.disabled = Boolean(trouble);
    this.choice.hidden = this.video.hidden = Boolean(trouble);
    say(this.note, trouble, "warn");
    if (!trouble) await this.#start();
  }

  async #start(device) {
    this.#stop();
    const video = {width: {ideal: 4096}, height: {ideal: 2160}, ...(device ? {deviceId: {exact: device}} : {facingMode: "environment"})};
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({video, audio: false});
    } catch (error) {
      this.shoot.disabled = true;
      const words = {
        NotAllowedError: "The browser was told not to give the camera: allow it in the address bar, then open this again.",
        NotFoundError: "There is no camera at this computer: plug one in, then open this again.",
        NotReadableError: "The camera is used by another program: close that one, then open this again.",
      };
      say(this.note, words[error.name] || "The camera cannot be opened: see whether it is plugged in.", "bad");
      return;
    }
    this.shoot.disabled = false;
    this.video.srcObject = this.stream;
    const used = this.stream.getVideoTracks()[0].getSettings().deviceId;
    const cameras = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === "videoinput");
    this.choice.replaceChildren(...cameras.map((one, index) => element("option", {value: one.deviceId, selected: one.deviceId === used}, one.label || `Camera ${index + 1}`)));
    this.choice.hidden = cameras.length < 2;
    this.shoot.focus();
  }

  #stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
  }

  async #take() {
    const {videoWidth: width, videoHeight: height} = this.video;
    if (!width) return;
    const canvas = element("canvas", {width, height});
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
    const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    this.taken(new File([blob], `camera-${time}.jpg`, {type: "image/jpeg"}));
  }
}
