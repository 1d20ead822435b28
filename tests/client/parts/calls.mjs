import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createClient } from "../../../src/bkend/client/bkend.js";
import { baseUrl, bkendError, json, key, newClient, newUser, signedUp } from "./support.mjs";

/** What one call sends, as the server would see it. */
async function sent(options, path = "/v1/data/notes") {
  const { client, http } = newClient({ intercept: () => json({}) });
  await client.fetch(path, options);
  const [{ url, init }] = http.calls;
  return new Request(url, init);
}

async function received(response) {
  const { client } = newClient({ intercept: () => response });
  return client.fetch("/v1/data/notes");
}

describe("requests", () => {
  test("every call carries the key; the token only when signed in", async () => {
    const { client, http } = newClient();
    await assert.rejects(client.auth.me(), bkendError({ status: 401, code: "auth/unauthorized" }));
    const { accessToken } = await client.auth.signUp(newUser());
    await client.auth.me();
    const [anonymous, , signedIn] = http.calls.map(({ headers }) => headers);
    assert.equal(anonymous.get("X-API-Key"), key);
    assert.equal(anonymous.get("Authorization"), null);
    assert.equal(signedIn.get("X-API-Key"), key);
    assert.equal(signedIn.get("Authorization"), `Bearer ${accessToken}`);
  });

  test("auth: false leaves the token out, and its 401 asks for no refresh", async () => {
    const { client, http } = await signedUp();
    const call = client.fetch("/v1/auth/me", { auth: false });
    await assert.rejects(call, bkendError({ code: "auth/unauthorized" }));
    assert.equal(http.calls.length, 1);
    assert.equal(http.calls[0].headers.get("Authorization"), null);
  });

  test("objects and arrays are sent as JSON", async () => {
    for (const body of [{ title: "ü" }, [{ title: "a" }]]) {
      const request = await sent({ method: "POST", body });
      assert.equal(request.headers.get("Content-Type"), "application/json");
      assert.deepEqual(await request.json(), body);
    }
  });

  test("a string is sent as it is, and as JSON", async () => {
    const request = await sent({ method: "POST", body: '{"title":"x"}' });
    assert.equal(request.headers.get("Content-Type"), "application/json");
    assert.equal(await request.text(), '{"title":"x"}');
  });

  test("FormData, Blob and URLSearchParams keep the type that fetch gives them", async () => {
    const form = new FormData();
    form.set("file", new Blob(["x"]), "x.txt");
    const types = [
      [form, /^multipart\/form-data; ?boundary=/],
      [new Blob(["x"], { type: "image/png" }), /^image\/png$/],
      [new URLSearchParams({ a: "1" }), /^application\/x-www-form-urlencoded/],
    ];
    for (const [body, type] of types) {
      const request = await sent({ method: "POST", body });
      assert.match(request.headers.get("Content-Type"), type);
    }
  });

  test("ArrayBuffer and typed arrays are sent as bytes without a type", async () => {
    const bytes = new Uint8Array([1, 2, 255]);
    for (const body of [bytes, bytes.buffer]) {
      const request = await sent({ method: "PUT", body });
      assert.equal(request.headers.get("Content-Type"), null);
      assert.deepEqual(new Uint8Array(await request.arrayBuffer()), bytes);
    }
  });

  test("a body without a method is a POST", async () => {
    assert.equal((await sent({ body: {} })).method, "POST");
    assert.equal((await sent({})).method, "GET");
  });

  test("the caller's own headers win", async () => {
    const headers = { "Content-Type": "application/merge-patch+json", "X-API-Key": "pk_other" };
    const request = await sent({ method: "PATCH", body: {}, headers });
    assert.equal(request.headers.get("Content-Type"), "application/merge-patch+json");
    assert.equal(request.headers.get("X-API-Key"), "pk_other");
  });

  test("redirects are not followed, so that the key stays here", async () => {
    assert.equal((await sent({})).redirect, "error");
  });
});

describe("addresses", () => {
  const foreign = ["https://other.example/v1", "//other.example/v1", "/\\other.example", "data:,x"];
  for (const path of foreign) {
    test(`${path} is refused before anything is sent`, async () => {
      const { client, http } = await signedUp();
      await assert.rejects(client.fetch(path), bkendError({ code: "client/foreign-origin" }));
      assert.equal(http.calls.length, 0);
    });
  }

  test("no path leads the call away from the server", async () => {
    const paths = ["@other.example/", ".other.example/", ":80@other.example", " //other.example"];
    for (const path of paths) {
      const request = await sent({}, path);
      assert.equal(new URL(request.url).origin, new URL(baseUrl).origin);
    }
  });

  test("an absolute URL of the server itself is called", async () => {
    const { client, id } = await signedUp();
    assert.equal((await client.fetch(`${baseUrl}/v1/auth/me`)).id, id);
  });
});

describe("answers", () => {
  test("204 and an empty body are null", async () => {
    assert.equal(await received(new Response(null, { status: 204 })), null);
    assert.equal(await received(new Response("")), null);
  });

  test("the envelope is taken off", async () => {
    assert.deepEqual(await received(json({ success: true, data: { id: "1" } })), { id: "1" });
    assert.equal(await received(json({ success: true, data: null })), null);
    const both = json({ success: true, data: { items: [] }, items: [] });
    assert.deepEqual(await received(both), { items: [] });
  });

  test("a body with only one of success and data is no envelope", async () => {
    assert.deepEqual(await received(json({ success: true })), { success: true });
    assert.deepEqual(await received(json({ data: 1 })), { data: 1 });
  });

  test("a success that is not JSON is an error instead of a page as data", async () => {
    const expected = { status: 200, code: "client/invalid-response" };
    await assert.rejects(received(new Response("<html>")), bkendError(expected));
  });

  test("raw: true returns the response, but errors still throw", async () => {
    const { client } = await signedUp();
    const response = await client.fetch("/v1/auth/me", { raw: true });
    assert.ok(response instanceof Response);
    assert.ok((await response.json()).id);
    const missing = client.fetch("/v1/data/notes/nope", { raw: true });
    await assert.rejects(missing, bkendError({ status: 404, code: "data/not-found" }));
  });
});

describe("errors", () => {
  test("an error of the server arrives whole", async () => {
    const { client } = await signedUp();
    const error = await client.from("notes").create({}).catch((caught) => caught);
    assert.equal(error.name, "BkendError");
    assert.ok(error instanceof Error);
    assert.equal(error.status, 400);
    assert.equal(error.code, "data/validation-error");
    assert.equal(error.details[0].field, "title");
    assert.equal(error.message, error.details[0].message);
    assert.ok(error.requestId);
    assert.equal(error.retryAfter, null);
  });

  test("an error without JSON keeps its status", async () => {
    const page = new Response("<h1>Bad gateway</h1>", { status: 502, statusText: "Bad Gateway" });
    const message = "HTTP 502 Bad Gateway";
    const expected = bkendError({ status: 502, code: "http/502", message, details: [] });
    await assert.rejects(received(page), expected);
  });

  test("the message is found wherever it stands", async () => {
    for (const body of [{ message: "nope" }, { error: "nope" }, { error: { message: "nope" } }]) {
      await assert.rejects(received(json(body, { status: 418 })), { message: "nope" });
    }
  });

  test("Retry-After is read in seconds", async () => {
    const answer = (value) => json({}, { status: 429, headers: { "Retry-After": value } });
    await assert.rejects(received(answer("7")), { retryAfter: 7 });
    await assert.rejects(received(answer("soon")), { retryAfter: null });
  });

  test("an unreachable server is status 0 with its cause", async () => {
    const client = createClient({ baseUrl: "http://127.0.0.1:1", key });
    const error = await client.from("notes").list().catch((caught) => caught);
    assert.equal(error.status, 0);
    assert.equal(error.code, "network/unreachable");
    assert.ok(error.cause instanceof TypeError);
  });

  test("a body that breaks off is a network failure", async () => {
    const broken = new ReadableStream({ start: (stream) => stream.error(new Error("cut")) });
    const expected = { status: 0, code: "network/unreachable" };
    await assert.rejects(received(new Response(broken)), bkendError(expected));
  });

  test("an aborted call rejects with the signal's reason", async () => {
    const { client } = await signedUp();
    const cancelled = client.fetch("/v1/auth/me", { signal: AbortSignal.abort() });
    await assert.rejects(cancelled, { name: "AbortError" });
    const reason = new Error("left the page");
    const left = client.from("notes").list({}, { signal: AbortSignal.abort(reason) });
    await assert.rejects(left, (error) => error === reason);
  });
});
