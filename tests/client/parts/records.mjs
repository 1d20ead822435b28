import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";

import { createClient } from "../../../src/bkend/client/bkend.js";
import { baseUrl, bkendError, json, newClient, secretKey, signedUp } from "./support.mjs";

async function queryOf(query) {
  const { client, http } = newClient({ intercept: () => json({}) });
  await client.from("notes").list(query);
  return new URL(http.calls[0].url).searchParams;
}

describe("records", () => {
  test("a record is created, read, changed and deleted", async () => {
    const { client, id: userId } = await signedUp();
    const notes = client.from("notes");
    const created = await notes.create({ title: "First", tags: ["a"] });
    assert.equal(created.title, "First");
    assert.equal(created.views, 0);
    assert.equal(created.createdBy, userId);
    assert.deepEqual(await notes.get(created.id), created);
    const updated = await notes.update(created.id, { views: 3 });
    assert.equal(updated.views, 3);
    assert.equal(updated.title, "First");
    assert.deepEqual(await notes.delete(created.id), { success: true });
    const gone = bkendError({ status: 404, code: "data/not-found" });
    await assert.rejects(notes.get(created.id), gone);
    await assert.rejects(notes.delete(created.id), gone);
  });

  test("an array creates several records", async () => {
    const { client } = await signedUp();
    const created = await client.from("notes").create([{ title: "a" }, { title: "b" }]);
    assert.deepEqual(created.map(({ title }) => title), ["a", "b"]);
  });

  test("select returns the named fields", async () => {
    const { client } = await signedUp();
    const { id } = await client.from("notes").create({ title: "x", tags: ["a"] });
    const chosen = await client.from("notes").get(id, { select: ["title"] });
    assert.equal(chosen.title, "x");
    assert.equal(chosen.views, undefined);
  });

  test("a list is filtered, sorted and paged", async () => {
    const { client } = await signedUp();
    const mark = randomUUID();
    const note = (views) => ({ title: `${mark} ${views}`, views, tags: [mark] });
    await client.from("notes").create([1, 2, 3, 4].map(note));
    const page = await client.from("notes").list({
      andFilters: { tags: mark, views: { $gte: 2 } },
      orFilters: [{ views: 2 }, { views: { $gt: 3 } }],
      sortBy: "views",
      sortDirection: "asc",
      page: 2,
      limit: 1,
      select: ["views"],
    });
    assert.deepEqual(page.items.map(({ views, title }) => [views, title]), [[4, undefined]]);
    const { total, totalPages, hasNext, hasPrev } = page.pagination;
    assert.deepEqual([total, totalPages, hasNext, hasPrev], [2, 2, false, true]);
  });

  test("filters travel as JSON, lists of names as csv, and undefined not at all", async () => {
    const since = new Date("2026-01-02T03:04:05.678Z");
    const query = await queryOf({
      page: 0,
      search: undefined,
      sortBy: null,
      andFilters: { createdAt: { $gte: since } },
      orFilters: [{ a: 1 }],
      select: ["title", "tags"],
      searchType: "title",
    });
    assert.deepEqual(Object.fromEntries(query), {
      page: "0",
      andFilters: '{"createdAt":{"$gte":"2026-01-02T03:04:05.678Z"}}',
      orFilters: '[{"a":1}]',
      select: "title,tags",
      searchType: "title",
    });
  });

  test("a list without a query has none", async () => {
    const { client, http } = newClient({ intercept: () => json({}) });
    await client.from("notes").list();
    assert.equal(http.calls[0].url, `${baseUrl}/v1/data/notes`);
  });

  test("a secret key reads records without a user", async () => {
    const { client } = await signedUp();
    const note = await client.from("notes").create({ title: "mine" });
    const server = createClient({ baseUrl, key: secretKey });
    assert.deepEqual(await server.from("notes").get(note.id), note);
  });
});

describe("names in paths", () => {
  test("an id cannot leave its place in the path", async () => {
    const { client, http } = await signedUp();
    const missing = client.from("notes").get("x?a=1&b#ü %2e");
    await assert.rejects(missing, bkendError({ status: 404, code: "data/not-found" }));
    await assert.rejects(client.from("notes").get("../auth/me"), bkendError({ status: 404 }));
    const ids = http.calls.map(({ path }) => path.replace("/v1/data/notes/", ""));
    assert.deepEqual(ids, ["x%3Fa%3D1%26b%23%C3%BC%20%252e", "..%2Fauth%2Fme"]);
  });

  test("a table name cannot either", async () => {
    const { client, http } = await signedUp();
    await assert.rejects(client.from("a/b").list(), bkendError({ status: 404 }));
    assert.equal(http.calls[0].path, "/v1/data/a%2Fb");
  });

  for (const id of ["", undefined, null, ".", ".."]) {
    test(`the id ${JSON.stringify(id)} is refused before anything is sent`, async () => {
      const { client, http } = newClient();
      const refused = bkendError({ code: "client/invalid-path" });
      const notes = client.from("notes");
      await assert.rejects(notes.get(id), refused);
      await assert.rejects(notes.update(id, {}), refused);
      await assert.rejects(notes.delete(id), refused);
      assert.throws(() => client.from(id), refused);
      assert.equal(http.calls.length, 0);
    });
  }
});
