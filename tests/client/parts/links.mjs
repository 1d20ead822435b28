import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";

import { takeFromAddress } from "../../../src/bkend/client/bkend.js";
import {
  bkendError, mailedLink, newClient, newUser, page, password, signedUp, spoilAccessToken, totp,
} from "./support.mjs";

const callbackUrl = "http://localhost:3000/in?from=mail";

describe("signing in with a link", () => {
  let shown;
  afterEach(() => shown?.close());

  test("makes the user when asked to, and signs in once", async () => {
    const { client, names } = newClient();
    const { email } = newUser();
    const form = { email, callbackUrl, signUp: true, name: "Ada" };
    assert.equal((await client.auth.signInWithLink.request(form)).email, email);
    const { token, from } = await mailedLink(email, "magic_link");
    assert.equal(from, "mail");
    const result = await client.auth.signInWithLink.complete({ token });
    assert.equal(result.is_new_user, true);
    assert.equal((await client.auth.me()).email, email);
    assert.deepEqual(names(), ["signedIn"]);
    const again = client.auth.signInWithLink.complete({ token });
    await assert.rejects(again, bkendError({ status: 401, code: "auth/invalid-token" }));
    assert.equal((await client.auth.me()).email, email);
  });

  test("takes the token out of the page's address and keeps the rest of it", async () => {
    const { client, user } = await signedUp();
    await client.auth.signOut();
    await client.auth.signInWithLink.request({ email: user.email, callbackUrl });
    const { token } = await mailedLink(user.email, "magic_link");
    shown = page(`http://localhost:3000/in?from=mail&token=${token}#top`);
    const both = [client.auth.signInWithLink.complete(), client.auth.signInWithLink.complete()];
    const [one, other] = await Promise.all(both);
    assert.equal(one, other);
    assert.equal(one.is_new_user, false);
    assert.equal(shown.address, "http://localhost:3000/in?from=mail#top");
    assert.equal(await client.auth.signInWithLink.complete(), null);
  });

  test("asks for the second factor and remembers the token meanwhile", async () => {
    const { client, user } = await signedUp();
    const { secret, backupCodes } = await client.auth.mfa.enable({ password });
    await client.auth.mfa.confirm({ code: totp(secret) });
    await client.auth.signInWithLink.request({ email: user.email, callbackUrl });
    const { token } = await mailedLink(user.email, "magic_link");
    shown = page(`http://localhost:3000/in?token=${token}`);
    const early = client.auth.signInWithLink.complete();
    await assert.rejects(early, bkendError({ status: 403, code: "auth/mfa-required" }));
    assert.equal(shown.address, "http://localhost:3000/in");
    const wrong = client.auth.signInWithLink.complete({ mfaCode: "zzzzzzzz" });
    await assert.rejects(wrong, bkendError({ status: 401, code: "auth/invalid-mfa-code" }));
    const result = await client.auth.signInWithLink.complete({ mfaCode: backupCodes[0] });
    assert.equal(result.user.email, user.email);
  });

  test("leads back to the page that asks, unless told otherwise", async () => {
    const { client, user } = await signedUp();
    shown = page("http://localhost:3000/sign-in?x=1#y");
    await client.auth.signInWithLink.request({ email: user.email });
    shown.close();
    assert.deepEqual(Object.keys(await mailedLink(user.email, "magic_link")), ["token"]);
  });

  test("is null where there is no page, and no link is made for a bad address", async () => {
    const { client } = newClient();
    assert.equal(await client.auth.signInWithLink.complete(), null);
    const bad = client.auth.signInWithLink.request({ email: "nobody", callbackUrl });
    await assert.rejects(bad, bkendError({ status: 400, code: "auth/invalid-email" }));
    const missing = client.auth.signInWithLink.request({ email: newUser().email });
    await assert.rejects(missing, bkendError({ code: "auth/invalid-request" }));
  });
});

describe("resetting the password", () => {
  test("replaces it and ends every session", async () => {
    const { client, user } = await signedUp();
    const other = newClient().client;
    await other.auth.resetPassword.request({ email: user.email, callbackUrl });
    const { token, email } = await mailedLink(user.email, "password_reset");
    const short = other.auth.resetPassword.confirm({ email, token, newPassword: "short" });
    await assert.rejects(short, bkendError({ code: "auth/invalid-password-format" }));
    const form = { email, token, newPassword: "another good horse" };
    await other.auth.resetPassword.confirm(form);
    await assert.rejects(client.auth.me(), bkendError({ code: "auth/invalid-refresh-token" }));
    assert.equal(await client.auth.getSession(), null);
    const used = other.auth.resetPassword.confirm(form);
    const code = "auth/verification-token-not-found";
    await assert.rejects(used, bkendError({ status: 404, code }));
    const old = other.auth.signIn(user);
    await assert.rejects(old, bkendError({ code: "auth/invalid-credentials" }));
    await other.auth.signIn({ email, password: form.newPassword });
  });

  test("answers alike for an address that nobody has", async () => {
    const { client } = newClient();
    const known = await client.auth.resetPassword.request({ email: (await signedUp()).user.email });
    const unknown = await client.auth.resetPassword.request({ email: newUser().email });
    assert.deepEqual(unknown, known);
  });
});

describe("verifying an address", () => {
  test("is for one's own by default", async () => {
    const { client, user } = await signedUp();
    assert.equal((await client.auth.verifyEmail.send()).email, user.email);
    const form = await mailedLink(user.email, "email_verification");
    const { email, token } = form;
    assert.equal((await client.auth.verifyEmail.confirm({ email, token })).verified, true);
    assert.ok((await client.auth.me()).emailVerified);
    const again = client.auth.verifyEmail.send();
    await assert.rejects(again, bkendError({ code: "auth/already-verified" }));
    const wrong = client.auth.verifyEmail.confirm({ email, token: "nonsense" });
    await assert.rejects(wrong, bkendError({ code: "auth/verification-token-not-found" }));
  });

  test("moves to another one, also with an access token that has expired", async () => {
    const { client, storage } = await signedUp();
    const email = newUser().email;
    await spoilAccessToken(storage);
    await client.auth.verifyEmail.send({ email, callbackUrl });
    const { token } = await mailedLink(email, "email_verification");
    await client.auth.verifyEmail.confirm({ email, token });
    assert.equal((await client.auth.me()).email, email);
  });

  test("is refused for somebody else's", async () => {
    const { client } = await signedUp();
    const { email } = (await signedUp()).user;
    const taken = client.auth.verifyEmail.send({ email });
    await assert.rejects(taken, bkendError({ status: 409, code: "auth/email-already-exists" }));
  });
});

describe("takeFromAddress", () => {
  let shown;
  afterEach(() => shown?.close());

  test("takes what is there, and only what it is asked for", () => {
    shown = page("https://app.example/x?email=a%40b.c&keep=1&token=t#part");
    assert.deepEqual(takeFromAddress("token", "email", "none"), { token: "t", email: "a@b.c" });
    assert.equal(shown.address, "https://app.example/x?keep=1#part");
    assert.equal(takeFromAddress("token"), null);
  });

  test("is null outside a page", () => {
    assert.equal(takeFromAddress("token"), null);
  });
});
