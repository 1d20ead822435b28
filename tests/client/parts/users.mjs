import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  baseUrl, bkendError, json, newClient, newUser, secretKey, signedUp, spoilAccessToken,
} from "./support.mjs";

const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...Array(64).fill(0)]);

const allRejected = (calls, expected) =>
  Promise.all(calls.map((call) => assert.rejects(call, bkendError(expected))));

describe("what a user keeps", () => {
  test("profile", async () => {
    const { client, id } = await signedUp();
    const changed = await client.users.profile.update({ nickname: "Countess", bio: "Engines" });
    assert.deepEqual([changed.id, changed.nickname], [id, "Countess"]);
    assert.equal((await client.users.profile.get()).bio, "Engines");
    const empty = client.users.profile.update({ name: "" });
    await assert.rejects(empty, bkendError({ status: 400, code: "user/invalid-name" }));
  });

  test("preferences, notifications, onboarding and public settings", async () => {
    const { client } = await signedUp();
    const { users } = client;
    assert.equal((await users.preferences.update({ theme: "dark" })).theme, "dark");
    assert.equal((await users.preferences.get()).locale, null);
    assert.equal((await users.notifications.update({ sms: true })).sms, true);
    assert.equal((await users.notifications.get()).securityAlerts, true);
    const onboarding = await users.onboarding.update({ status: "completed" });
    assert.ok(onboarding.completedAt);
    assert.equal((await users.onboarding.get()).status, "completed");
    const slug = `ada-${Date.now()}`;
    assert.equal((await users.publicSettings.update({ slug, isPublic: true })).slug, slug);
    assert.equal((await users.publicSettings.get()).isPublic, true);
    const other = (await signedUp()).client.users;
    const taken = other.publicSettings.update({ slug });
    await assert.rejects(taken, bkendError({ status: 409, code: "user/slug-already-exists" }));
    const wrong = users.preferences.update({ theme: "pink" });
    await assert.rejects(wrong, bkendError({ code: "common/invalid-parameters" }));
  });

  test("is nobody's business", async () => {
    const { client } = await signedUp();
    const other = await signedUp();
    const foreign = client.users.preferences.get({ userId: other.id });
    await assert.rejects(foreign, bkendError({ status: 403, code: "user/forbidden" }));
    const unknown = client.users.profile.get({ userId: "nobody" });
    await assert.rejects(unknown, bkendError({ status: 404, code: "user/not-found" }));
    const nobody = newClient().client.users.profile.get();
    await assert.rejects(nobody, bkendError({ code: "client/not-signed-in" }));
  });

  test("is never taken for one's own when an id is forgotten", async () => {
    const { client, http } = await signedUp();
    const calls = [
      client.users.delete(undefined),
      client.users.update(null, { name: "X" }),
      client.users.profile.update({ name: "X" }, { userId: undefined }),
      client.users.get(".."),
    ];
    await allRejected(calls, { code: "client/invalid-path" });
    assert.equal(http.calls.length, 0);
  });
});

describe("avatars", () => {
  test("are uploaded without key and token, with progress, and removed", async () => {
    const { client, http, id } = await signedUp();
    const heard = [];
    const onProgress = ({ loaded, total }) => heard.push([loaded, total]);
    const picture = new File([PNG], "me.png", { type: "image/png" });
    const user = await client.users.avatar.upload(picture, { onProgress });
    assert.equal(user.id, id);
    assert.deepEqual(heard.at(-1), [PNG.length, PNG.length]);
    const [, put] = http.calls;
    assert.equal(put.init.method, "PUT");
    assert.deepEqual([...put.headers], []);
    const shown = await fetch(user.image);
    assert.equal(shown.headers.get("Content-Type"), "image/png");
    assert.equal((await shown.arrayBuffer()).byteLength, PNG.length);
    await client.users.avatar.remove();
    assert.equal((await client.auth.me()).image, null);
  });

  test("without a type go by their name", async () => {
    const { client } = await signedUp();
    const user = await client.users.avatar.upload(new Blob([PNG]), { filename: "me.png" });
    assert.match(user.image, /\.png$/);
  });

  test("that are no pictures are refused, by name or by content", async () => {
    const { client } = await signedUp();
    const page = new File(["<html>"], "a.html", { type: "text/html" });
    const byType = client.users.avatar.upload(page);
    await assert.rejects(byType, bkendError({ status: 400, code: "common/invalid-parameters" }));
    const disguised = new File(["<html>"], "a.png", { type: "image/png" });
    await assert.rejects(client.users.avatar.upload(disguised), bkendError({ status: 415 }));
    assert.equal((await client.auth.me()).image, null);
  });

  test("can be given up, and a broken upload is no answer", async () => {
    const giveUp = new AbortController();
    const { client } = await signedUp();
    const picture = new File([PNG], "me.png", { type: "image/png" });
    giveUp.abort(new Error("changed my mind"));
    const given = client.users.avatar.upload(picture, { signal: giveUp.signal });
    await assert.rejects(given, { message: "changed my mind" });
    const fail = ({ init }) => {
      if (init.method === "PUT") throw new TypeError("broken");
    };
    const broken = (await signedUp({ intercept: fail })).client.users.avatar.upload(picture);
    await assert.rejects(broken, bkendError({ status: 0, code: "network/unreachable" }));
  });
});

describe("user records", () => {
  test("are made, changed, promoted and deleted by admins", async () => {
    const { users } = newClient({ key: secretKey }).client;
    const { email } = newUser();
    const made = await users.create({ name: "Grace", email });
    assert.equal((await users.update(made.id, { name: "Hopper" })).name, "Hopper");
    assert.equal((await users.setRole(made.id, "admin")).role, "admin");
    assert.equal((await users.get(made.id)).email, email);
    const found = await users.list({ search: email, searchType: "email" });
    assert.deepEqual(found.items.map(({ id }) => id), [made.id]);
    const fields = await users.profile.update({ bio: "COBOL" }, { userId: made.id });
    assert.equal(fields.bio, "COBOL");
    await users.delete(made.id);
    await assert.rejects(users.get(made.id), bkendError({ code: "user/not-found" }));
    const bad = users.create({ name: "Grace", email, role: "queen" });
    await assert.rejects(bad, bkendError({ code: "user/invalid-role" }));
  });

  test("of others are not a user's to change", async () => {
    const { client } = await signedUp();
    const { id } = await signedUp();
    const calls = [
      client.users.update(id, { name: "X" }), client.users.setRole(id, "guest"),
      client.users.delete(id), client.users.create({ name: "X", email: newUser().email }),
    ];
    await allRejected(calls, { status: 403, code: "user/forbidden" });
    assert.equal("email" in (await client.users.get(id)), false);
  });

  test("when one's own is deleted, one is signed out", async () => {
    const { client, id, storage, names } = await signedUp();
    await spoilAccessToken(storage);
    await client.users.delete(id);
    assert.deepEqual(names(), ["refreshed", "signedOut"]);
  });
});

describe("ids in addresses", () => {
  test("are escaped, whatever they hold", async () => {
    const { client, http } = newClient({ intercept: () => json({}) });
    const id = "a/../b?c#d%2e e";
    const escaped = "a%2F..%2Fb%3Fc%23d%252e%20e";
    await client.users.get(id);
    await client.users.update(id, {});
    await client.users.setRole(id, "user");
    await client.users.delete(id);
    await client.users.profile.get({ userId: id });
    await client.users.avatar.remove({ userId: id });
    await client.auth.sessions.end(id);
    await client.auth.accounts.unlink(id);
    await client.auth.signInWithProvider.begin(id, { redirect: "http://localhost:1/" });
    await client.from("notes").get(id);
    const paths = http.calls.map(({ url }) => url.slice(baseUrl.length).split("?")[0]);
    assert.deepEqual(paths, [
      `/v1/users/${escaped}`, `/v1/users/${escaped}`, `/v1/users/${escaped}/role`,
      `/v1/users/${escaped}`, `/v1/users/${escaped}/profile`, `/v1/users/${escaped}/avatar`,
      `/v1/auth/sessions/${escaped}`, `/v1/auth/accounts/${escaped}`,
      `/v1/auth/${escaped}/authorize`, `/v1/data/notes/${escaped}`,
    ]);
  });

  test("that lead elsewhere are refused", async () => {
    const { client, http } = await signedUp();
    for (const id of ["", ".", "..", null, undefined]) {
      const calls = [
        client.users.get(id), client.auth.sessions.end(id), client.auth.accounts.unlink(id),
        client.auth.signInWithProvider.exchange(id, {}),
      ];
      await allRejected(calls, { code: "client/invalid-path" });
    }
    assert.equal(http.calls.length, 0);
  });
});
