import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  bkendError, newClient, newUser, password, signedUp, spoilAccessToken, totp,
} from "./support.mjs";

const newPassword = "another good horse";

describe("the password", () => {
  test("when changed ends every session, this one too", async () => {
    const { client, user, names } = await signedUp();
    await client.auth.changePassword({ currentPassword: password, newPassword });
    assert.equal(await client.auth.getSession(), null);
    assert.deepEqual(names(), ["signedOut"]);
    await client.auth.signIn({ ...user, password: newPassword });
  });

  test("when the present one is wrong stays, without a refresh", async () => {
    const { client, http, names } = await signedUp();
    const wrong = client.auth.changePassword({ currentPassword: "no", newPassword });
    await assert.rejects(wrong, bkendError({ status: 401, code: "auth/invalid-password" }));
    assert.equal(http.calls.length, 1);
    assert.deepEqual(names(), []);
    const same = client.auth.changePassword({ currentPassword: password, newPassword: password });
    await assert.rejects(same, bkendError({ code: "auth/same-as-previous-password" }));
  });
});

describe("sessions", () => {
  test("of other devices are listed and ended", async () => {
    const { client, user, names } = await signedUp();
    const other = newClient();
    await other.client.auth.signIn(user);
    const { items, pagination } = await client.auth.sessions.list({ page: 1, limit: 5 });
    assert.equal(pagination.total, 2);
    const { id } = items.find(({ current }) => !current);
    await client.auth.sessions.end(id);
    assert.deepEqual(names(), []);
    await assert.rejects(other.client.auth.me(), bkendError({ status: 401 }));
    assert.deepEqual(other.names(), ["signedIn", "signedOut"]);
    const gone = client.auth.sessions.end(id);
    await assert.rejects(gone, bkendError({ status: 404, code: "auth/session-not-found" }));
  });

  test("ending one's own signs out", async () => {
    const { client, names } = await signedUp();
    const { items } = await client.auth.sessions.list();
    await client.auth.sessions.end(items[0].id);
    assert.equal(await client.auth.getSession(), null);
    assert.deepEqual(names(), ["signedOut"]);
  });
});

describe("the second factor", () => {
  async function protectedUser() {
    const setup = await signedUp();
    const enabled = await setup.client.auth.mfa.enable({ password });
    const confirmed = await setup.client.auth.mfa.confirm({ code: totp(enabled.secret) });
    assert.deepEqual(confirmed.backupCodes, enabled.backupCodes);
    return { ...setup, ...enabled };
  }

  test("is set up with a QR code and asked for at sign-in", async () => {
    const { client, user, secret, qrCodeUrl, qrCodeSvg, backupCodes } = await protectedUser();
    assert.match(qrCodeUrl, /^otpauth:\/\/totp\//);
    assert.match(qrCodeSvg, /^<svg /);
    assert.equal((await client.auth.me()).mfaEnabled, true);
    const early = client.auth.signIn(user);
    await assert.rejects(early, bkendError({ status: 403, code: "auth/mfa-required" }));
    const wrong = client.auth.signIn({ ...user, mfaCode: "zzzzzzzz" });
    await assert.rejects(wrong, bkendError({ status: 401, code: "auth/invalid-mfa-code" }));
    await client.auth.signIn({ ...user, mfaCode: totp(secret) });
    const repeated = client.auth.signIn({ ...user, mfaCode: totp(secret) });
    await assert.rejects(repeated, bkendError({ code: "auth/invalid-mfa-code" }));
    await client.auth.signIn({ ...user, mfaCode: backupCodes[0] });
    const again = client.auth.signIn({ ...user, mfaCode: backupCodes[0] });
    await assert.rejects(again, bkendError({ code: "auth/invalid-mfa-code" }));
  });

  test("is switched off with password and code", async () => {
    const { client, user, secret } = await protectedUser();
    const wrong = client.auth.mfa.disable({ password: "wrong horse" });
    await assert.rejects(wrong, bkendError({ status: 401, code: "auth/invalid-credentials" }));
    assert.deepEqual(await client.auth.mfa.disable({ password, code: totp(secret) }), {});
    assert.equal((await client.auth.me()).mfaEnabled, false);
    await client.auth.signIn(user);
  });

  test("refuses a wrong code and a second set-up", async () => {
    const { client } = await protectedUser();
    const twice = client.auth.mfa.enable({ password });
    await assert.rejects(twice, bkendError({ status: 409, code: "auth/mfa-already-enabled" }));
    const fresh = await signedUp();
    const none = fresh.client.auth.mfa.confirm({ code: "123456" });
    await assert.rejects(none, bkendError({ status: 400, code: "auth/mfa-not-enabled" }));
    await fresh.client.auth.mfa.enable({ password });
    const wrong = fresh.client.auth.mfa.confirm({ code: "abc" });
    await assert.rejects(wrong, bkendError({ code: /auth\/invalid-(mfa-code|request)/ }));
    assert.equal(fresh.http.refreshes().length, 0);
  });
});

describe("withdrawal", () => {
  test("deletes the user and signs out", async () => {
    const { client, user, id, names } = await signedUp();
    await client.auth.withdraw();
    assert.equal(await client.auth.getSession(), null);
    assert.deepEqual(names(), ["signedOut"]);
    const gone = client.auth.signIn(user);
    await assert.rejects(gone, bkendError({ code: "auth/invalid-credentials" }));
    assert.notEqual((await client.auth.signUp(user)).user.id, id);
  });

  test("works with an expired access token, and needs a session", async () => {
    const { client, storage } = await signedUp();
    await spoilAccessToken(storage);
    await client.auth.withdraw();
    assert.equal(await client.auth.getSession(), null);
    const nobody = newClient().client.auth.withdraw();
    await assert.rejects(nobody, bkendError({ status: 401, code: "auth/unauthorized" }));
  });

  test("that fails leaves the session alone", async () => {
    const refuse = ({ path }) =>
      path === "/v1/auth/withdraw" ? new Response("{}", { status: 503 }) : undefined;
    const { client, id } = await signedUp({ intercept: refuse });
    await assert.rejects(client.auth.withdraw(), bkendError({ status: 503 }));
    assert.equal((await client.auth.me()).id, id);
  });
});

describe("three calls with an expired token", () => {
  test("of different kinds share one refresh", async () => {
    const { client, http, storage, id } = await signedUp();
    await spoilAccessToken(storage);
    const [me, profile, sessions] = await Promise.all([
      client.auth.me(), client.users.profile.get(), client.auth.sessions.list(),
    ]);
    assert.deepEqual([me.id, profile.id, sessions.items[0].userId], [id, id, id]);
    assert.equal(http.refreshes().length, 1);
  });
});

describe("another user's address", () => {
  test("at sign-up is a conflict", async () => {
    const { user } = await signedUp();
    const taken = newClient().client.auth.signUp({ ...newUser(), email: user.email });
    await assert.rejects(taken, bkendError({ status: 409, code: "auth/email-already-exists" }));
  });
});
