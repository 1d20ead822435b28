import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import * as bkend from "../../../src/bkend/client/bkend.js";
import { baseUrl, bkendError, key, newUser, recorder } from "./support.mjs";

const source = new URL("../../../src/bkend/client/bkend.js", import.meta.url);

describe("setup", () => {
  test("createClient without baseUrl is refused when the module was not served", () => {
    assert.throws(() => bkend.createClient({ key }), bkendError({ code: "client/no-base-url" }));
  });

  test("createClient without key is refused", () => {
    assert.throws(() => bkend.createClient({ baseUrl }), bkendError({ code: "client/no-key" }));
  });

  test("bkendFetch needs configure(), then calls as the configured client", async () => {
    const early = bkend.bkendFetch("/v1/auth/me");
    await assert.rejects(early, bkendError({ code: "client/not-configured" }));
    const client = bkend.configure({ baseUrl, key, storage: bkend.memoryStorage() });
    const { user } = await client.auth.signUp(newUser());
    assert.equal((await bkend.bkendFetch("/v1/auth/me")).id, user.id);
  });

  test("the base URL may end in a slash", async () => {
    const http = recorder();
    const client = bkend.createClient({ baseUrl: `${baseUrl}/`, key, fetch: http });
    await client.auth.signUp(newUser());
    assert.equal(http.calls[0].url, `${baseUrl}/v1/auth/email/signup`);
  });

  test("a path in the base URL is kept, and sign-in is known behind it", async () => {
    const refuse = () => new Response("{}", { status: 401 });
    const http = recorder(refuse);
    const storage = bkend.memoryStorage();
    storage.set({ accessToken: "a", refreshToken: "r" });
    const client = bkend.createClient({ baseUrl: `${baseUrl}/api/`, key, storage, fetch: http });
    await assert.rejects(client.fetch("/v1/auth/email/signin", { method: "POST" }));
    assert.deepEqual(http.calls.map(({ path }) => path), ["/api/v1/auth/email/signin"]);
  });

  test("the file holds the placeholder once", async () => {
    const text = await readFile(source, "utf8");
    assert.equal(text.split("__BKEND_BASE_URL__").length, 2);
  });

  test("the served module knows its server", async () => {
    const response = await fetch(`${baseUrl}/bkend.js`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /^(text|application)\/javascript/);
    const code = Buffer.from(await response.text()).toString("base64");
    const served = await import(`data:text/javascript;base64,${code}`);
    const client = served.createClient({ key });
    assert.equal(client.baseUrl, baseUrl);
    assert.ok((await client.auth.signUp(newUser())).accessToken);
  });

  test("the declarations are served beside it", async () => {
    const response = await fetch(`${baseUrl}/bkend.d.ts`);
    assert.equal(response.status, 200);
    assert.match(await response.text(), /export function createClient/);
  });
});
