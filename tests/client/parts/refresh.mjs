import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { memoryStorage } from "../../../src/bkend/client/bkend.js";
import {
  bkendError, endSession, gate, isRefresh, json, newClient, newUser, password, signedUp,
  spoilAccessToken, spoiled,
} from "./support.mjs";

const ME = "/v1/auth/me";

/** Several calls that all meet the expired token. */
const parallel = (client, count = 5) => Array.from({ length: count }, () => client.auth.me());

describe("an expired access token", () => {
  test("is refreshed once for any number of parallel calls", async () => {
    const { client, http, storage, id, names } = await signedUp();
    const before = storage.get();
    await spoilAccessToken(storage);
    const users = await Promise.all(parallel(client));
    assert.deepEqual(users.map((user) => user.id), Array(5).fill(id));
    assert.equal(http.refreshes().length, 1);
    assert.equal(http.to(ME).length, 10);
    assert.deepEqual(names(), ["refreshed"]);
    assert.notEqual(storage.get().accessToken, before.accessToken);
    assert.notEqual(storage.get().refreshToken, before.refreshToken);
  });

  test("repeats the call as it was", async () => {
    const { client, http, storage } = await signedUp();
    await spoilAccessToken(storage);
    const note = await client.from("notes").create({ title: "once" });
    assert.equal(note.title, "once");
    const [first, second] = http.to("/v1/data/notes");
    assert.equal(second.init.body, first.init.body);
    assert.equal(second.init.method, "POST");
  });

  test("repeats the call once and throws the second 401", async () => {
    const intercept = ({ path, init: { headers } }) => {
      if (path === ME) headers.set("Authorization", spoiled(headers.get("Authorization")));
    };
    const { client, http, storage } = await signedUp({ intercept });
    await assert.rejects(client.auth.me(), bkendError({ status: 401, code: "auth/invalid-token" }));
    assert.equal(http.to(ME).length, 2);
    assert.equal(http.refreshes().length, 1);
    assert.ok(storage.get());
  });

  test("that another call has replaced meanwhile needs no further refresh", async () => {
    const { opened, open } = gate();
    const holdFirst = async ({ path }, calls) => {
      if (path === "/v1/data/notes" && calls.filter((call) => call.path === path).length === 1) {
        await opened;
      }
    };
    const { client, http, storage } = await signedUp({ intercept: holdFirst });
    await spoilAccessToken(storage);
    const slow = client.from("notes").list();
    await client.auth.me();
    open();
    assert.ok((await slow).items);
    assert.equal(http.refreshes().length, 1);
    assert.equal(http.to("/v1/data/notes").length, 2);
  });

  test("is not repeated as another user who has signed in meanwhile", async () => {
    const { opened, open } = gate();
    const hold = async ({ path }) => {
      if (path === ME) await opened;
    };
    const { client, http, storage } = await signedUp({ intercept: hold });
    await spoilAccessToken(storage);
    const asFirstUser = client.auth.me();
    await client.auth.signUp(newUser());
    open();
    await assert.rejects(asFirstUser, bkendError({ status: 401, code: "auth/invalid-token" }));
    assert.equal(http.to(ME).length, 1);
    assert.equal(http.refreshes().length, 0);
  });

  test("does not bring back a session that was closed during the refresh", async () => {
    const { opened, open } = gate();
    const holdAnswer = async (call) => {
      if (!isRefresh(call)) return undefined;
      const answer = await fetch(call.url, call.init);
      storage.remove();
      await opened;
      return answer;
    };
    const storage = memoryStorage();
    const { client, names } = await signedUp({ storage, intercept: holdAnswer });
    await spoilAccessToken(storage);
    const call = client.auth.me();
    open();
    await assert.rejects(call, bkendError({ status: 401, code: "auth/invalid-token" }));
    assert.equal(storage.get(), null);
    assert.deepEqual(names(), []);
  });

  test("refreshes for the others when one call is aborted", async () => {
    const { opened, open } = gate();
    const started = gate();
    const hold = async (call) => {
      if (!isRefresh(call)) return;
      started.open();
      await opened;
    };
    const { client, http, storage, id } = await signedUp({ intercept: hold });
    await spoilAccessToken(storage);
    const aborter = new AbortController();
    const aborted = client.fetch(ME, { signal: aborter.signal });
    const patient = client.auth.me();
    await started.opened;
    aborter.abort();
    await assert.rejects(aborted, { name: "AbortError" });
    open();
    assert.equal((await patient).id, id);
    assert.equal(http.refreshes().length, 1);
  });
});

describe("a 401 that no refresh would cure", () => {
  test("a wrong password is thrown at once", async () => {
    const refuse = (call) =>
      call.path === "/v1/auth/mfa/enable"
        ? json({ code: "auth/invalid-credentials" }, { status: 401 })
        : undefined;
    const { client, http } = await signedUp({ intercept: refuse });
    const change = client.fetch("/v1/auth/password/change", {
      method: "POST",
      body: { currentPassword: `${password}!`, newPassword: `${password}?` },
    });
    await assert.rejects(change, bkendError({ status: 401, code: "auth/invalid-password" }));
    const enable = client.fetch("/v1/auth/mfa/enable", { body: { password: `${password}!` } });
    await assert.rejects(enable, bkendError({ status: 401, code: "auth/invalid-credentials" }));
    assert.equal(http.calls.length, 2);
  });

  test("an endpoint that ignores the token causes no refresh", async () => {
    const refuse = (call) =>
      isRefresh(call) || call.path.endsWith("/signup")
        ? undefined
        : json({ code: "auth/invalid-token" }, { status: 401 });
    const { client, http, storage } = await signedUp({ intercept: refuse });
    const calls = [
      ["/v1/auth/refresh", { refreshToken: "nonsense" }],
      ["/v1/auth/email/callback", { token: "nonsense" }],
      ["/v1/auth/invitations/accept", { token: "nonsense" }],
    ];
    for (const [path, body] of calls) {
      const call = client.fetch(path, { method: "POST", body });
      await assert.rejects(call, bkendError({ status: 401 }));
    }
    assert.equal(http.calls.length, 3);
    assert.ok(storage.get());
  });

  test("a token of the caller's own is the caller's affair", async () => {
    const { client, http } = await signedUp();
    const call = client.fetch(ME, { headers: { Authorization: "Bearer nonsense" } });
    await assert.rejects(call, bkendError({ status: 401 }));
    assert.equal(http.calls.length, 1);
  });
});

describe("a refused refresh", () => {
  test("signs out, once, and every waiting call gets the refresh's code", async () => {
    const { opened, open } = gate();
    let refused = 0;
    const untilAllWait = async (call) => {
      if (isRefresh(call)) return void (await opened);
      const answer = await fetch(call.url, call.init);
      if (call.path === ME && (refused += 1) === 3) open();
      return answer;
    };
    const { client, http, storage, events } = await signedUp({ intercept: untilAllWait });
    await endSession(storage);
    const outcomes = await Promise.allSettled(parallel(client, 3));
    for (const { reason } of outcomes) {
      assert.equal(reason.name, "BkendError");
      assert.equal(reason.status, 401);
      assert.equal(reason.code, "auth/invalid-refresh-token");
    }
    assert.equal(http.refreshes().length, 1);
    assert.equal(storage.get(), null);
    assert.deepEqual(events, [["signedOut", null]]);
  });

  test("with 404 auth/user-not-found signs out as well", async () => {
    const code = "auth/user-not-found";
    const intercept = (call) => (isRefresh(call) ? json({ code }, { status: 404 }) : undefined);
    const { client, storage } = await signedUp({ intercept });
    await spoilAccessToken(storage);
    await assert.rejects(client.auth.me(), bkendError({ status: 404, code }));
    assert.equal(storage.get(), null);
  });
});

describe("a refresh that fails otherwise keeps the tokens", () => {
  const unreachable = () => {
    throw new TypeError("fetch failed");
  };
  const failures = {
    "the network": [unreachable, { status: 0, code: "network/unreachable" }],
    "an outage": [() => json({ code: "common/internal-error" }, { status: 503 }), { status: 503 }],
    "a proxy's 404": [() => new Response("not here", { status: 404 }), { code: "http/404" }],
    "an answer without tokens": [() => json({}), { code: "client/invalid-tokens" }],
  };
  for (const [what, [answer, expected]] of Object.entries(failures)) {
    test(`when it is ${what}`, async () => {
      let broken = true;
      const intercept = (call) => (broken && isRefresh(call) ? answer() : undefined);
      const { client, storage, id, names } = await signedUp({ intercept });
      await spoilAccessToken(storage);
      await assert.rejects(client.auth.me(), bkendError(expected));
      assert.ok(storage.get());
      assert.deepEqual(names(), []);
      broken = false;
      assert.equal((await client.auth.me()).id, id);
    });
  }

  test("when it hangs", async (t) => {
    const patience = new AbortController();
    t.mock.method(AbortSignal, "timeout", () => patience.signal);
    const hang = (call) => {
      if (!isRefresh(call)) return undefined;
      patience.abort(new DOMException("too long", "TimeoutError"));
      return fetch(call.url, call.init);
    };
    const { client, storage } = await signedUp({ intercept: hang });
    await spoilAccessToken(storage);
    const expected = { status: 0, code: "network/unreachable" };
    await assert.rejects(client.auth.me(), bkendError(expected));
    assert.ok(storage.get());
  });

  test("when the server limits its rate", async () => {
    const { client, storage, id } = await signedUp();
    const refreshUntilLimited = async () => {
      for (let count = 0; count < 30; count += 1) await client.auth.refresh();
    };
    const error = await refreshUntilLimited().catch((caught) => caught);
    assert.equal(error.status, 429);
    assert.equal(error.code, "auth/too-many-requests");
    assert.ok(error.retryAfter > 0);
    assert.ok(storage.get());
    assert.equal((await client.auth.me()).id, id);
  });
});

describe("auth.refresh()", () => {
  test("gives new tokens", async () => {
    const { client, storage, names } = await signedUp();
    const before = storage.get();
    const tokens = await client.auth.refresh();
    assert.notEqual(tokens.accessToken, before.accessToken);
    assert.deepEqual(storage.get(), tokens);
    assert.deepEqual(names(), ["refreshed"]);
  });

  test("needs a session", async () => {
    const { client, http } = newClient();
    await assert.rejects(client.auth.refresh(), bkendError({ code: "client/not-signed-in" }));
    assert.equal(http.calls.length, 0);
  });
});

describe("two clients of one session", () => {
  test("sharing a storage refresh once between them", async () => {
    const all = gate();
    let refused = 0;
    const refuseTogether = async ({ path, url, init }) => {
      if (path !== ME || refused === 10) return undefined;
      const answer = await fetch(url, init);
      refused += 1;
      if (refused === 10) all.open();
      await all.opened;
      return answer;
    };
    const first = await signedUp({ intercept: refuseTogether });
    const second = newClient({ storage: first.storage, intercept: refuseTogether });
    await spoilAccessToken(first.storage);
    const users = await Promise.all([...parallel(first.client), ...parallel(second.client)]);
    assert.deepEqual(new Set(users.map(({ id }) => id)), new Set([first.id]));
    assert.equal(first.http.refreshes().length + second.http.refreshes().length, 1);
  });

  test("that both refresh for want of a lock stay signed in", async () => {
    const cell = memoryStorage();
    const view = () => ({ get: cell.get, set: cell.set, remove: cell.remove });
    const both = gate();
    let arrived = 0;
    const meet = async (call) => {
      if (!isRefresh(call)) return;
      arrived += 1;
      if (arrived === 2) both.open();
      await both.opened;
    };
    const first = await signedUp({ storage: view(), intercept: meet });
    const second = newClient({ storage: view(), intercept: meet });
    await spoilAccessToken(cell);
    const users = await Promise.all([first.client.auth.me(), second.client.auth.me()]);
    assert.deepEqual(users.map(({ id }) => id), [first.id, first.id]);
    assert.equal(arrived, 2);
    await spoilAccessToken(cell);
    both.open();
    assert.equal((await second.client.auth.me()).id, first.id);
    assert.equal((await first.client.auth.me()).id, first.id);
    assert.deepEqual([...first.names(), ...second.names()].filter((n) => n === "signedOut"), []);
  });

  test("survive a refusal when the other one has refreshed already", async () => {
    const cell = memoryStorage();
    const view = () => ({ get: cell.get, set: cell.set, remove: cell.remove });
    const refuseLate = async (call) => {
      if (!isRefresh(call)) return undefined;
      await first.client.auth.me();
      return json({ code: "auth/invalid-refresh-token" }, { status: 401 });
    };
    const first = await signedUp({ storage: view() });
    const second = newClient({ storage: view(), intercept: refuseLate });
    await spoilAccessToken(cell);
    assert.equal((await second.client.auth.me()).id, first.id);
    assert.deepEqual(second.names(), []);
  });
});
