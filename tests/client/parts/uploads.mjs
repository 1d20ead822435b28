import assert from "node:assert/strict";
import { File } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { openAsBlob } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";

import {
  baseUrl, bkendError, json, key, newClient, secretKey, signedUp, spoilAccessToken,
} from "./support.mjs";

const MIB = 1024 * 1024;
const PART = 8 * MIB;
const large = randomBytes(3 * PART + 12345);

const fileOf = (bytes, name = "film.bin", type = "video/x-test") =>
  new File([bytes], name, { type, lastModified: 1_700_000_000_000 });

const isPut = ({ init }) => init.method === "PUT";
const partOf = ({ url }) => Number(new URL(url).searchParams.get("partNumber"));
const puts = (http) => http.calls.filter(isPut);
const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Answers as a server that is busy, without making the client rest. */
const busy = (status = 503) => new Response("{}", { status, headers: { "Retry-After": "0" } });

async function downloaded(client, file) {
  const response = await fetch(await client.files.url(file));
  assert.equal(response.status, 200);
  return Buffer.from(await response.arrayBuffer());
}

/** Progress as it was told, with a check of what holds for every one. */
function listening() {
  const heard = [];
  const onProgress = (progress) => heard.push(progress);
  const check = (total) => {
    const loaded = heard.map((progress) => progress.loaded);
    assert.deepEqual(loaded, [...new Set(loaded)].sort((a, b) => a - b));
    assert.deepEqual(heard.at(-1), { loaded: total, total, percent: 100 });
    assert.ok(heard.every((one) => one.percent === Math.floor((one.loaded / total) * 100)));
  };
  return { heard, onProgress, check };
}

/** An upload memory as a browser's: it outlives the client, and holds nothing but JSON. */
function memory() {
  const entries = new Map();
  return {
    entries,
    get: async (name) => JSON.parse(entries.get(name) ?? "null"),
    set: async (name, upload) => void entries.set(name, JSON.stringify(upload)),
    remove: async (name) => void entries.delete(name),
    names: async () => [...entries.keys()],
  };
}

/** A request that is never answered. */
const hanging = ({ init: { signal } }) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

/** A user whose upload was paused when the first `after` parts had arrived. */
async function interrupted({ after = 2, file = fileOf(large), ...options } = {}) {
  const uploads = memory();
  const pause = new AbortController();
  const intercept = (call) => (isPut(call) && partOf(call) > after ? hanging(call) : undefined);
  const onProgress = ({ loaded }) => {
    if (loaded === after * PART) pause.abort(new Error("paused"));
  };
  const setup = await signedUp({ uploads, intercept });
  const wish = { ...options, onProgress, pause: pause.signal };
  await assert.rejects(setup.client.files.upload(file, wish), { message: "paused" });
  const later = newClient({ uploads, storage: setup.storage });
  return { ...setup, uploads, file, later };
}

describe("a small file", () => {
  test("goes as a whole and is registered under the promised id", async () => {
    const { client, http, id } = await signedUp();
    const { heard, onProgress, check } = listening();
    const metadata = { description: "A pangram", tags: ["fox"] };
    const wish = { visibility: "public", category: "documents", metadata, onProgress };
    const file = fileOf("The quick brown fox", "fox.txt", "text/plain");
    const stored = await client.files.upload(file, wish);
    assert.deepEqual(
      [stored.originalName, stored.mimeType, stored.size, stored.visibility, stored.category],
      ["fox.txt", "text/plain", 19, "public", "documents"],
    );
    assert.deepEqual([stored.ownerId, stored.metadata], [id, metadata]);
    check(19);
    assert.equal(heard[0].loaded, 0);
    assert.equal(http.calls.length, 3);
    assert.equal(await client.files.url(stored), stored.url);
    assert.equal(String(await downloaded(client, stored)), "The quick brown fox");
  });

  test("takes name and type of the options, and of a Blob without any", async () => {
    const { client } = await signedUp();
    const named = await client.files.upload(new Blob(["x"]), {
      filename: "naïve — ü.csv", contentType: "text/csv",
    });
    assert.deepEqual([named.originalName, named.mimeType], ["naïve — ü.csv", "text/csv"]);
    const plain = await client.files.upload(new Blob(["x"]));
    assert.deepEqual([plain.originalName, plain.mimeType], ["file", "application/octet-stream"]);
    assert.equal(plain.visibility, "private");
  });

  test("may stay unregistered", async () => {
    const { client } = await signedUp();
    const uploaded = await client.files.upload(fileOf("x", "a.txt"), { register: false });
    await assert.rejects(client.files.get(uploaded.id), bkendError({ code: "file/not-found" }));
    const made = await client.fetch(`/v1/files/${uploaded.id}/complete`, { method: "POST" });
    assert.deepEqual([made.id, made.key], [uploaded.id, uploaded.key]);
  });

  test("is tried again after 429, 5xx and a broken connection", async () => {
    const failures = [() => busy(429), () => busy(), () => { throw new TypeError("broken"); }];
    const intercept = (call) => (isPut(call) ? failures.shift()?.() : undefined);
    const { client, http } = await signedUp({ intercept });
    const stored = await client.files.upload(fileOf("again"));
    assert.equal(puts(http).length, 4);
    assert.equal(String(await downloaded(client, stored)), "again");
  });

  test("whose registration was answered into the void is there once", async () => {
    let lost = false;
    const intercept = async ({ path, url, init }) => {
      if (path !== "/v1/files" || lost) return undefined;
      lost = true;
      await fetch(url, init);
      return busy(502);
    };
    const { client, id } = await signedUp({ intercept });
    const stored = await client.files.upload(fileOf("once"));
    const { items } = await client.files.list({ ownerId: id });
    assert.deepEqual(items, [stored]);
  });

  test("is given up for good after some attempts, or when the wait is long", async () => {
    const failing = (answer) => (call) => (isPut(call) ? answer() : undefined);
    const { client, http } = await signedUp({ intercept: failing(() => busy()) });
    const given = client.files.upload(fileOf("x"));
    await assert.rejects(given, bkendError({ status: 503, code: "http/503" }));
    assert.equal(puts(http).length, 5);
    const late = () => new Response("{}", { status: 429, headers: { "Retry-After": "3600" } });
    const waiting = await signedUp({ intercept: failing(late) });
    const refused = waiting.client.files.upload(fileOf("x"));
    await assert.rejects(refused, bkendError({ status: 429, retryAfter: 3600 }));
    assert.equal(puts(waiting.http).length, 1);
  });

  test("that cannot be read any more is not taken for a broken connection", async () => {
    const place = join(await mkdtemp(join(tmpdir(), "bkend-")), "gone.txt");
    await writeFile(place, "here today");
    const file = await openAsBlob(place);
    await rm(place);
    const { client, http } = await signedUp();
    const failed = client.files.upload(file, { filename: "gone.txt" });
    await assert.rejects(failed, bkendError({ status: 0, code: "client/unreadable-file" }));
    assert.equal(puts(http).length, 1);
  });

  test("that the server refuses is not tried again", async () => {
    const { client, http } = await signedUp();
    const cases = [
      [fileOf(""), {}, "file/file-too-small"],
      [fileOf("x"), { filename: "a/b" }, "file/invalid-name"],
      [fileOf("x"), { contentType: "nonsense" }, "file/invalid-format"],
      [fileOf("x"), { visibility: "secret" }, "common/invalid-parameters"],
    ];
    for (const [file, options, code] of cases) {
      http.calls.length = 0;
      await assert.rejects(client.files.upload(file, options), bkendError({ status: 400, code }));
      assert.equal(http.calls.length, 1);
    }
    const nobody = newClient().client.files.upload(fileOf("x"));
    await assert.rejects(nobody, bkendError({ code: "common/authentication-required" }));
    await assert.rejects(client.files.upload("text"), bkendError({ code: "client/invalid-file" }));
  });
});

describe("a large file", () => {
  test("goes in parts, some at the same time, and arrives whole", async () => {
    let now = 0;
    let most = 0;
    const intercept = async (call) => {
      if (!isPut(call)) return undefined;
      most = Math.max(most, (now += 1));
      const answer = await fetch(call.url, call.init);
      now -= 1;
      return answer;
    };
    const { client, http } = await signedUp({ intercept });
    const { onProgress, check } = listening();
    const stored = await client.files.upload(fileOf(large), { onProgress, category: "media" });
    assert.deepEqual([stored.size, stored.mimeType], [large.length, "video/x-test"]);
    assert.deepEqual(puts(http).map(partOf).sort(), [1, 2, 3, 4]);
    assert.equal(most, 4);
    check(large.length);
    assert.equal(hash(await downloaded(client, stored)), hash(large));
  });

  test("sends one part again after a failure, and no other", async () => {
    let failed = 0;
    const intercept = (call) => {
      if (isPut(call) && partOf(call) === 2 && (failed += 1) < 3) return busy();
    };
    const { client, http } = await signedUp({ intercept });
    const { onProgress, check } = listening();
    const stored = await client.files.upload(fileOf(large), { onProgress });
    assert.deepEqual(puts(http).map(partOf).sort(), [1, 2, 2, 2, 3, 4]);
    check(large.length);
    assert.equal(hash(await downloaded(client, stored)), hash(large));
  });

  test("needs a refresh only once when its token expires by the way", async () => {
    let spoiled = false;
    const intercept = async (call) => {
      if (isPut(call) && !spoiled) {
        spoiled = true;
        await spoilAccessToken(setup.storage);
      }
    };
    const setup = await signedUp({ intercept });
    await setup.client.files.upload(fileOf(large));
    assert.equal(setup.http.refreshes().length, 1);
  });

  test("whose completion was answered into the void is registered all the same", async () => {
    let lost = false;
    const intercept = async ({ path, url, init }) => {
      if (path !== "/v1/files/multipart/complete" || lost) return undefined;
      lost = true;
      await fetch(url, init);
      return busy();
    };
    const { client, http } = await signedUp({ intercept });
    const stored = await client.files.upload(fileOf(large));
    assert.equal(stored.size, large.length);
    assert.equal(puts(http).length, 4);
  });

  test("without ETags in reach fails with words about CORS", async () => {
    const intercept = (call) => (isPut(call) ? new Response("") : undefined);
    const { client } = await signedUp({ intercept });
    const failed = client.files.upload(fileOf(large));
    await assert.rejects(failed, bkendError({ code: "client/invalid-response", message: /CORS/ }));
  });
});

describe("an interrupted upload", () => {
  test("goes on with the missing parts only, in another client", async () => {
    const { file, later, uploads } = await interrupted({ visibility: "public" });
    const [listed] = await later.client.files.interrupted.list();
    assert.deepEqual(
      [listed.name, listed.size, listed.loaded, listed.visibility],
      ["film.bin", large.length, 2 * PART, "public"],
    );
    const { heard, onProgress, check } = listening();
    const again = { visibility: "public", onProgress };
    const stored = await later.client.files.upload(fileOf(large), again);
    assert.equal(puts(later.http).length, 2);
    assert.equal(heard[0].loaded, 2 * PART);
    check(file.size);
    assert.equal(hash(await downloaded(later.client, stored)), hash(large));
    assert.deepEqual(await later.client.files.interrupted.list(), []);
    assert.equal(uploads.entries.size, 0);
  });

  test("is not mixed up with another file, other wishes or another user", async () => {
    const { later, uploads } = await interrupted({ after: 1 });
    const file = (name, lastModified) => new File([large], name, { lastModified });
    await later.client.files.upload(file("other.bin", 1_700_000_000_000), { register: false });
    await later.client.files.upload(file("film.bin", 1_700_000_000_001), { register: false });
    assert.equal(puts(later.http).length, 8);
    const stranger = await signedUp({ uploads });
    assert.deepEqual(await stranger.client.files.interrupted.list(), []);
    later.http.calls.length = 0;
    const public_ = await later.client.files.upload(fileOf(large), { visibility: "public" });
    assert.equal(puts(later.http).length, 4);
    assert.equal(later.http.to("/v1/files/multipart/abort").length, 1);
    assert.equal(public_.visibility, "public");
  });

  test("whose parts the server has dropped begins anew", async () => {
    const { client, later, uploads } = await interrupted();
    const [kept] = [...uploads.entries.values()].map((text) => JSON.parse(text));
    const { key: s3Key, uploadId } = kept;
    const body = { key: s3Key, uploadId };
    await client.fetch("/v1/files/multipart/abort", { method: "POST", body });
    const { onProgress, check } = listening();
    const stored = await later.client.files.upload(fileOf(large), { onProgress });
    assert.equal(puts(later.http).length, 4);
    check(large.length);
    assert.equal(hash(await downloaded(later.client, stored)), hash(large));
    assert.equal(uploads.entries.size, 0);
  });

  test("that only lacks its registration sends no byte again", async () => {
    const uploads = memory();
    const refuse = ({ path }) =>
      path === "/v1/files" ? json({ code: "common/bad" }, { status: 400 }) : undefined;
    const { client, storage } = await signedUp({ uploads, intercept: refuse });
    await assert.rejects(client.files.upload(fileOf(large)), bkendError({ code: "common/bad" }));
    const later = newClient({ uploads, storage });
    const stored = await later.client.files.upload(fileOf(large));
    assert.deepEqual(later.http.calls.map(({ path }) => path), ["/v1/files"]);
    assert.equal(stored.size, large.length);
  });

  test("can be dropped, and what nobody can read is forgotten", async () => {
    const { client, later, uploads } = await interrupted();
    const [name] = uploads.entries.keys();
    const { uploadId, key: s3Key } = JSON.parse(uploads.entries.get(name));
    for (const text of ["{}", "null", '{"uploadId":1}', '{"file":{}}']) {
      uploads.entries.set(`${name}x`, text);
      assert.equal((await later.client.files.interrupted.list()).length, 1);
    }
    const [{ id }] = await later.client.files.interrupted.list();
    await later.client.files.interrupted.drop(id);
    assert.equal(uploads.entries.size, 0);
    const body = { key: s3Key, uploadId, partNumber: 1 };
    const gone = client.fetch("/v1/files/multipart/presigned-url", { method: "POST", body });
    await assert.rejects(gone, bkendError({ status: 404, code: "file/not-found" }));
  });

  test("is on its way once: the same file at the same time is an upload of its own", async () => {
    const { client, http } = (await interrupted({ after: 2 })).later;
    const both = await Promise.all([0, 1].map(() => client.files.upload(fileOf(large))));
    assert.notEqual(both[0].id, both[1].id);
    assert.equal(puts(http).length, 2 + 4);
    for (const stored of both) {
      assert.equal(hash(await downloaded(client, stored)), hash(large));
    }
  });

  test("of a Blob is not remembered: nothing tells it from another one", async () => {
    const uploads = memory();
    const intercept = (call) => (isPut(call) ? busy(400) : undefined);
    const { client } = await signedUp({ uploads, intercept });
    await assert.rejects(client.files.upload(new Blob([large])), bkendError({ status: 400 }));
    assert.equal(uploads.entries.size, 0);
  });
});

describe("giving up", () => {
  /** Aborts when the given part is about to be sent, or before the call `path`. */
  async function givenUp(isTheMoment, bytes = large, uploads = memory()) {
    const giveUp = new AbortController();
    const intercept = (call) => {
      if (isTheMoment(call)) giveUp.abort(new Error("changed my mind"));
    };
    const setup = await signedUp({ uploads, intercept });
    const upload = setup.client.files.upload(fileOf(bytes), { signal: giveUp.signal });
    await assert.rejects(upload, { message: "changed my mind" });
    assert.equal(uploads.entries.size, 0);
    assert.deepEqual((await setup.client.files.list({ ownerId: setup.id })).items, []);
    return setup;
  }

  test("in the middle takes the parts back", async () => {
    const { http } = await givenUp((call) => isPut(call) && partOf(call) === 4);
    const [abort] = http.to("/v1/files/multipart/abort");
    const { key: s3Key, uploadId } = JSON.parse(abort.init.body);
    const { client } = newClient({ key: secretKey });
    const body = { key: s3Key, uploadId, partNumber: 1 };
    const gone = client.fetch("/v1/files/multipart/presigned-url", { method: "POST", body });
    await assert.rejects(gone, bkendError({ status: 404, code: "file/not-found" }));
  });

  test("at the last moment takes the bytes back", async () => {
    const isRegistering = ({ path }) => path === "/v1/files";
    for (const bytes of [large, "small"]) {
      const { http } = await givenUp(isRegistering, bytes);
      const [{ init }] = http.to("/v1/files");
      const { s3Key } = JSON.parse(init.body);
      const bytesThere = await fetch(`${baseUrl}/raw/${s3Key}`);
      assert.equal(bytesThere.status, 404);
    }
  });

  test("before it begins sends nothing", async () => {
    const { client, http } = await signedUp();
    const signal = AbortSignal.abort(new Error("too late"));
    for (const options of [{ signal }, { pause: signal }]) {
      const upload = client.files.upload(fileOf(large), options);
      await assert.rejects(upload, { message: "too late" });
    }
    assert.equal(http.calls.length, 0);
  });

  test("ends a rest between two attempts at once", async () => {
    const giveUp = new AbortController();
    const intercept = (call) => {
      if (!isPut(call)) return undefined;
      setTimeout(() => giveUp.abort(new Error("enough")), 10);
      return new Response("{}", { status: 503, headers: { "Retry-After": "50" } });
    };
    const { client } = await signedUp({ intercept });
    const timers = () => process.getActiveResourcesInfo().filter((one) => one === "Timeout").length;
    const [started, before] = [Date.now(), timers()];
    const upload = client.files.upload(fileOf("x"), { signal: giveUp.signal });
    await assert.rejects(upload, { message: "enough" });
    assert.ok(Date.now() - started < 20_000);
    assert.equal(timers(), before, "nothing keeps the process alive");
  });
});

describe("what signed addresses get", () => {
  test("is bytes: neither key nor token, wherever the address leads", async () => {
    const foreign = "https://bucket.example/object?signature=1";
    const seen = [];
    const intercept = ({ path, url, headers }) => {
      if (url === foreign) {
        seen.push([...headers]);
        return new Response("", { headers: { ETag: '"e"' } });
      }
      if (!path.startsWith("/v1/files")) return undefined;
      const place = { uploadId: "u", key: "k", fileId: "f", url: foreign, contentType: "a/b" };
      return json(path === "/v1/files" ? { id: "f" } : place);
    };
    const { client, http } = await signedUp({ intercept });
    await client.files.upload(fileOf("x"));
    await client.files.upload(fileOf(large));
    assert.deepEqual(seen, [[], [], [], [], []]);
    const { headers } = http.calls[0];
    assert.equal(headers.get("X-API-Key"), key);
    assert.match(headers.get("Authorization"), /^Bearer /);
  });
});
