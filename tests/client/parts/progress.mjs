import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { bkendError, signedUp } from "./support.mjs";

/** As much of a browser's XMLHttpRequest as the client uses; `plan` says how each one ends. */
class Request {
  static plan = [];
  static sent = [];
  upload = {};
  #giveUp = new AbortController();

  open(method, href) {
    Object.assign(this, { method, href });
  }

  send(body) {
    const number = Request.sent.push(this) - 1;
    this.#run(body, Request.plan[number] ?? "arrives").finally(() => this.onloadend());
  }

  async #run(body, end) {
    for (const share of [0.25, 0.5]) this.#tell(body, share);
    if (end === "hangs") return this.#hang();
    if (end === "breaks") return this.onerror();
    this.#tell(body, 1);
    const { method, href } = this;
    const response = await fetch(href, { method, body });
    const { status, statusText } = end === "refused" ? { status: 503, statusText: "" } : response;
    const headers = [...response.headers, ...(end === "refused" ? [["retry-after", "0"]] : [])];
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    Object.assign(this, { status, statusText, responseText: await response.text() });
    this.getAllResponseHeaders = () => lines;
    return this.onload();
  }

  #tell({ size }, share) {
    this.upload.onprogress({ loaded: Math.floor(size * share), total: size });
  }

  #hang() {
    const { signal } = this.#giveUp;
    return new Promise((end) => signal.addEventListener("abort", end)).then(() => this.onabort());
  }

  abort() {
    this.#giveUp.abort();
  }
}

describe("progress in browsers", () => {
  beforeEach(() => {
    Object.assign(Request, { plan: [], sent: [] });
    globalThis.XMLHttpRequest = Request;
  });

  afterEach(() => {
    delete globalThis.XMLHttpRequest;
  });

  async function heardOf(bytes) {
    const { client } = await signedUp();
    const heard = [];
    const file = new Blob([new Uint8Array(bytes)]);
    await client.files.upload(file, { onProgress: ({ loaded }) => heard.push(loaded) });
    return heard;
  }

  test("is told by and by, and all of it only in the end", async () => {
    assert.deepEqual(await heardOf(1000), [0, 250, 500, 999, 1000]);
  });

  test("stands still while what was sent in vain is sent again", async () => {
    Request.plan = ["refused", "breaks"];
    assert.deepEqual(await heardOf(1000), [0, 250, 500, 999, 1000]);
    assert.equal(Request.sent.length, 3);
  });

  test("never goes back over parts of which some break", async () => {
    Request.plan = ["breaks", "arrives", "refused"];
    const total = 20 * 1024 * 1024;
    const heard = await heardOf(total);
    assert.deepEqual(heard, [...new Set(heard)].sort((a, b) => a - b));
    assert.equal(heard.at(-1), total);
    assert.equal(Request.sent.length, 3 + 2);
  });

  test("ends at once when the upload is given up", { timeout: 30_000 }, async () => {
    Request.plan = ["hangs"];
    const { client } = await signedUp();
    const giveUp = new AbortController();
    const onProgress = ({ percent }) => percent === 50 && giveUp.abort(new Error("enough"));
    const upload = client.files.upload(new Blob(["1234"]), { onProgress, signal: giveUp.signal });
    await assert.rejects(upload, { message: "enough" });
    assert.equal(Request.sent.length, 1);
  });

  test("that a listener cannot stand does not end the upload", async () => {
    const mistakes = [];
    const { queueMicrotask } = globalThis;
    globalThis.queueMicrotask = (task) => {
      queueMicrotask(() => {
        try {
          task();
        } catch ({ message }) {
          mistakes.push(message); // a page would see it in its console
        }
      });
    };
    const { client } = await signedUp();
    const onProgress = ({ loaded }) => {
      if (loaded === 0) throw new Error("a mistake of the page's");
    };
    const upload = client.files.upload(new Blob(["1234"]), { onProgress });
    const stored = await upload.finally(() => Object.assign(globalThis, { queueMicrotask }));
    assert.equal(stored.size, 4);
    assert.deepEqual(mistakes, ["a mistake of the page's"]);
  });

  test("of an avatar that is refused does not come to its end", async () => {
    const { client } = await signedUp();
    const heard = [];
    const page = new Blob(["<html>"], { type: "image/png" });
    const onProgress = ({ loaded }) => heard.push(loaded);
    const upload = client.users.avatar.upload(page, { filename: "a.png", onProgress });
    await assert.rejects(upload, bkendError({ status: 415 }));
    assert.deepEqual(heard, [1, 3]);
  });
});
