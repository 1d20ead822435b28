import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { memoryStorage } from "../../../src/bkend/client/bkend.js";
import {
  bkendError, endSession, gate, newClient, newUser, password, signedUp, spoilAccessToken,
} from "./support.mjs";

describe("signing in and out", () => {
  test("signing up signs in", async () => {
    const { client, storage, events } = newClient();
    const user = newUser();
    const result = await client.auth.signUp(user);
    assert.equal(result.user.email, user.email);
    const tokens = await client.auth.getSession();
    assert.equal(tokens.accessToken, result.accessToken);
    assert.equal(tokens.refreshToken, result.refreshToken);
    assert.equal(tokens.userId, result.user.id);
    assert.deepEqual(events, [["signedIn", tokens]]);
    assert.deepEqual(storage.get(), tokens);
    assert.equal((await client.auth.me()).id, result.user.id);
  });

  test("signing in opens another session of the same user", async () => {
    const { client, http, user, id } = await signedUp();
    const result = await client.auth.signIn(user);
    assert.equal(result.user.id, id);
    assert.equal(http.calls[0].headers.get("Authorization"), null);
    const { items } = await client.auth.sessions.list({ limit: 5 });
    assert.deepEqual(items.map(({ current }) => current).sort(), [false, true]);
  });

  test("a failed sign-in is thrown and leaves the present session alone", async () => {
    const { client, http, user, id, names } = await signedUp();
    const wrong = client.auth.signIn({ ...user, password: `${password}!` });
    await assert.rejects(wrong, bkendError({ status: 401, code: "auth/invalid-credentials" }));
    assert.deepEqual(names(), []);
    assert.equal(http.refreshes().length, 0);
    assert.equal((await client.auth.me()).id, id);
  });

  test("signing out ends the session on the server and here", async () => {
    const { client, storage, names } = await signedUp();
    const before = storage.get();
    await client.auth.signOut();
    assert.equal(await client.auth.getSession(), null);
    assert.deepEqual(names(), ["signedOut"]);
    storage.set(before);
    await assert.rejects(client.auth.me(), bkendError({ status: 401 }));
  });

  test("signing out works with an expired access token", async () => {
    const { client, http, storage, names } = await signedUp();
    const { refreshToken } = storage.get();
    await spoilAccessToken(storage);
    await client.auth.signOut();
    assert.equal(storage.get(), null);
    assert.deepEqual(names(), ["refreshed", "signedOut"]);
    assert.equal(http.to("/v1/auth/signout").length, 2);
    const again = client.fetch("/v1/auth/refresh", { method: "POST", body: { refreshToken } });
    await assert.rejects(again, bkendError({ code: "auth/invalid-refresh-token" }));
  });

  test("signing out of a session that has ended succeeds, with one event", async () => {
    const { client, storage, names } = await signedUp();
    await endSession(storage);
    await client.auth.signOut();
    assert.equal(storage.get(), null);
    assert.deepEqual(names(), ["signedOut"]);
  });

  test("signing out offline forgets the tokens and says that the server was not told", async () => {
    const intercept = ({ path }) => {
      if (path === "/v1/auth/signout") throw new TypeError("fetch failed");
    };
    const { client, storage, names } = await signedUp({ intercept });
    await assert.rejects(client.auth.signOut(), bkendError({ code: "network/unreachable" }));
    assert.equal(storage.get(), null);
    assert.deepEqual(names(), ["signedOut"]);
  });

  test("signing out leaves another user alone who has signed in meanwhile", async () => {
    const { opened, open } = gate();
    const hold = async ({ path }) => {
      if (path === "/v1/auth/signout") await opened;
    };
    const { client } = await signedUp({ intercept: hold });
    const leaving = client.auth.signOut();
    const { user } = await client.auth.signUp(newUser());
    open();
    await leaving;
    assert.equal((await client.auth.me()).id, user.id);
  });

  test("signing out twice asks the server once", async () => {
    const { client, http } = await signedUp();
    await client.auth.signOut();
    await client.auth.signOut();
    assert.equal(http.calls.length, 1);
  });

  test("setSession signs in with tokens from elsewhere", async () => {
    const { storage, id } = await signedUp();
    const { client, names } = newClient();
    await client.auth.setSession(storage.get());
    assert.deepEqual(names(), ["signedIn"]);
    assert.equal((await client.auth.me()).id, id);
    const half = client.auth.setSession({ accessToken: "a" });
    await assert.rejects(half, bkendError({ code: "client/invalid-tokens" }));
    assert.equal((await client.auth.me()).id, id);
  });

  test("a listener that has left hears nothing more", async () => {
    const { client } = newClient();
    const heard = [];
    const stop = client.auth.onChange((event) => heard.push(event));
    await client.auth.signUp(newUser());
    stop();
    await client.auth.signOut();
    assert.deepEqual(heard, ["signedIn"]);
  });

  test("a listener's mistake does not fail the call it hears of", async (t) => {
    const mistakes = [];
    const { queueMicrotask } = globalThis;
    t.mock.method(globalThis, "queueMicrotask", (task) =>
      queueMicrotask(() => {
        try {
          task();
        } catch (error) {
          mistakes.push(error.message);
        }
      }),
    );
    const { client } = newClient();
    client.auth.onChange(() => {
      throw new Error("mistake");
    });
    assert.ok((await client.auth.signUp(newUser())).accessToken);
    assert.deepEqual(mistakes, ["mistake"]);
  });

  test("a storage with promises serves as well", async () => {
    const inner = memoryStorage();
    const later = (method) => async (value) => {
      await new Promise(setImmediate);
      return inner[method](value);
    };
    const storage = { get: later("get"), set: later("set"), remove: later("remove") };
    const { client, http, names, id } = await signedUp({ storage });
    await spoilAccessToken(storage);
    const users = await Promise.all([client.auth.me(), client.auth.me()]);
    assert.deepEqual(users.map((user) => user.id), [id, id]);
    assert.equal(http.refreshes().length, 1);
    await client.auth.signOut();
    assert.equal(inner.get(), null);
    assert.deepEqual(names(), ["refreshed", "signedOut"]);
  });
});
