// Files on their way: two at a time, each with its row, to be paused, gone on with, and cancelled.
import { client } from "./client.js";
import { addToGallery } from "./gallery.js";
import { $, attempt, complain, copyOf, inWords, onClick, say, sizeOf, tile } from "./ui.js";

const AT_ONCE = 2;
const CANCELLED = "cancelled";
const PAUSED = "paused";

const all = new Set();
const waiting = [];
const running = new Set();
let interrupted = []; // rows of uploads that need their file again
let userId = null;

/** One file and its row in the list. */
class Upload {
  #cancel = null;
  #pause = null;

  constructor(file, wish) {
    Object.assign(this, { file, wish });
    this.row = rowOf(file.name);
    this.row.querySelector(".thumb").append(preview(file));
    this.#on(".cancel", () => this.cancel());
    this.#on(".toggle", () => (this.#pause ? this.#pause.abort(PAUSED) : this.start()));
    $("uploads").append(this.row);
    all.add(this);
  }

  #on(selector, action) {
    this.row.querySelector(selector).addEventListener("click", action);
  }

  start() {
    if (waiting.includes(this) || running.has(this)) return;
    this.show("Waiting");
    waiting.push(this);
    next();
  }

  async run() {
    [this.#cancel, this.#pause] = [new AbortController(), new AbortController()];
    this.show("Starting", "Pause");
    const onProgress = (progress) => this.#progress(progress);
    const signals = { signal: this.#cancel.signal, pause: this.#pause.signal };
    try {
      const stored = await client.files.upload(this.file, { ...this.wish, ...signals, onProgress });
      this.leave();
      addToGallery(stored);
      say(`${this.file.name} is uploaded.`);
    } catch (error) {
      this.#stopped(error);
    } finally {
      [this.#cancel, this.#pause] = [null, null];
    }
  }

  #progress({ loaded, total, percent }) {
    this.row.querySelector("progress").value = percent;
    this.show(`${percent} % · ${sizeOf(loaded)} of ${sizeOf(total)}`, "Pause");
  }

  #stopped(error) {
    const { value } = this.row.querySelector("progress");
    if (error === CANCELLED) {
      this.leave();
      say(`${this.file.name} is cancelled.`);
    } else if (error === PAUSED) {
      this.show(`Paused at ${value} %`, "Continue");
    } else if (error?.name === "BkendError") {
      const state = value > 0 ? `Stopped at ${value} %` : "Not uploaded";
      this.show(state, "Try again", inWords(error));
    } else {
      throw error;
    }
  }

  show(state, action = "", problem = "") {
    describe(this.row, state, action, problem);
  }

  leave() {
    all.delete(this);
    remove(this.row);
  }

  /** Stops it without losing what has arrived. */
  pause() {
    this.#pause?.abort(PAUSED);
  }

  async cancel() {
    if (this.#cancel) {
      this.show("Cancelling");
      this.#cancel.abort(CANCELLED);
      return;
    }
    const place = waiting.indexOf(this);
    if (place >= 0) waiting.splice(place, 1);
    if (await attempt(() => this.#drop())) this.#stopped(CANCELLED);
  }

  /** Takes back what had arrived before it was paused. */
  async #drop() {
    const found = await client.files.interrupted.list();
    const kept = found.find((one) => isOf(one, this.file));
    if (kept) await client.files.interrupted.drop(kept.id);
    return true;
  }
}

/** Takes a row away; who was in it goes on at the heading. */
function remove(row) {
  if (row.contains(document.activeElement)) $("add-title").focus();
  row.remove();
}

function describe(row, state, action, problem) {
  row.querySelector(".state").textContent = state;
  row.querySelector(".problem").textContent = problem;
  const toggle = row.querySelector(".toggle");
  toggle.hidden = !action;
  toggle.textContent = action;
}

function rowOf(name) {
  const row = copyOf("upload-row");
  row.querySelector(".name").textContent = name;
  row.querySelector("progress").ariaLabel = `Upload of ${name}`;
  row.querySelector(".cancel").ariaLabel = `Cancel ${name}`;
  return row;
}

function preview(file) {
  if (!/^image\/(png|jpeg|gif|webp|avif)$/.test(file.type)) return tile(file.name);
  const image = Object.assign(new Image(), { src: URL.createObjectURL(file), alt: "" });
  image.addEventListener("load", () => URL.revokeObjectURL(image.src), { once: true });
  image.addEventListener("error", () => image.replaceWith(tile(file.name)), { once: true });
  return image;
}

function next() {
  while (running.size < AT_ONCE && waiting.length > 0) {
    const upload = waiting.shift();
    running.add(upload);
    upload.run().finally(() => {
      running.delete(upload);
      next();
    });
  }
}

/** Pauses everything, as the person has left; whether there is anything to go on with. */
export function stopAll() {
  for (const upload of waiting.splice(0)) upload.show("Stopped", "Continue");
  for (const upload of running) upload.pause();
  return all.size > 0;
}

// --- Interrupted before this page was opened

const isOf = (kept, { name, size, lastModified }) =>
  kept.name === name && kept.size === size && kept.lastModified === lastModified;

/** Shows what the user may go on with, and nothing of anybody else's. */
export async function showInterrupted(id) {
  if (userId !== id) for (const upload of all) upload.leave();
  for (const { row } of interrupted) row.remove();
  userId = id;
  const isShown = (kept) => [...all].some(({ file }) => isOf(kept, file));
  const found = await client.files.interrupted.list();
  interrupted = found.filter((kept) => !isShown(kept)).map(interruptedRow);
}

function interruptedRow(kept) {
  const row = rowOf(kept.name);
  const percent = Math.floor((kept.loaded / kept.size) * 100);
  row.querySelector("progress").value = percent;
  row.querySelector(".thumb").append(tile(kept.name));
  const state = `Interrupted at ${percent} %. Choose the same file again to go on.`;
  describe(row, state, "Choose the file", "");
  row.querySelector(".toggle").addEventListener("click", () => $("picker").click());
  onClick(row.querySelector(".cancel"), async () => {
    await client.files.interrupted.drop(kept.id);
    remove(row);
    say(`${kept.name} is cancelled.`);
  });
  $("uploads").append(row);
  return { kept, row };
}

// --- New ones

/** What was wished for the file before it was interrupted; otherwise what is chosen now. */
function wishFor(file) {
  const found = interrupted.find(({ kept }) => isOf(kept, file));
  found?.row.remove();
  interrupted = interrupted.filter((one) => one !== found);
  const { visibility, category } = found?.kept ?? { visibility: $("visibility").value };
  return { visibility, category };
}

function add(files) {
  say("");
  if (files.length === 0) complain("Folders cannot be uploaded. Choose the files in them.");
  for (const file of files) new Upload(file, wishFor(file)).start();
}

$("picker").addEventListener("change", ({ target }) => {
  if (target.files.length > 0) add([...target.files]);
  target.value = ""; // so that the same file can be chosen again
});

const zone = $("drop");

for (const type of ["dragenter", "dragover"]) {
  zone.addEventListener(type, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
}

zone.addEventListener("dragleave", () => zone.classList.remove("over"));

zone.addEventListener("drop", (event) => {
  event.preventDefault();
  zone.classList.remove("over");
  const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
  const isFolder = (item) => item.webkitGetAsEntry?.()?.isDirectory;
  if (items.length === 0) return; // a text or a link
  add(items.filter((item) => !isFolder(item)).map((item) => item.getAsFile()));
});

for (const type of ["dragover", "drop"]) {
  addEventListener(type, (event) => event.preventDefault()); // beside it a file would be opened
}
