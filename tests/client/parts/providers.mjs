import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { afterEach, before, describe, test } from "node:test";

import {
  baseUrl, bkendError, manage, newClient, page, password, provider, signedUp,
} from "./support.mjs";

const PAGE = "http://localhost:3000/in?app=1";
const CALLBACK = `${baseUrl}/v1/auth/acme/callback`;
const APP = { clientId: "the-app", clientSecret: "s3cret" };

/** Somebody with an account at the provider. */
async function person() {
  const sub = randomUUID();
  const claims = { email: `${sub}@acme.example`, email_verified: true, name: "Grace" };
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(claims);
  const made = await fetch(`${provider}/users/${sub}`, { method: "PUT", headers, body });
  assert.equal(made.status, 204);
  return { sub, ...claims };
}

/** Where a click leads when it is followed; the answer's own address is that of the page. */
async function redirectOf(url, init) {
  const answer = await fetch(url, { redirect: "manual", ...init });
  assert.ok([302, 303].includes(answer.status), `${answer.status} ${await answer.text()}`);
  return answer.headers.get("location");
}

const logIn = (url, sub) => redirectOf(url, { method: "POST", body: new URLSearchParams({ sub }) });

/** An authorization code, or what it is worth, as an app gets it by itself. */
async function codeFor(sub) {
  const query = new URLSearchParams({
    response_type: "code", client_id: APP.clientId, redirect_uri: CALLBACK,
    scope: "openid email profile",
  });
  const back = await logIn(`${provider}/oauth2/authorize?${query}`, sub);
  return new URL(back).searchParams.get("code");
}

async function idTokenFor(sub) {
  const code = await codeFor(sub);
  const form = { grant_type: "authorization_code", code, redirect_uri: CALLBACK };
  const basic = Buffer.from(`${APP.clientId}:x`).toString("base64");
  const init = {
    method: "POST", body: new URLSearchParams(form), headers: { Authorization: `Basic ${basic}` },
  };
  return (await (await fetch(`${provider}/oauth2/token`, init)).json()).id_token;
}

describe("signing in with a provider", () => {
  let shown;
  before(async () => {
    const body = { issuer: provider, ...APP };
    await manage("/auth/providers/oauth/acme", { method: "PUT", body });
  });
  afterEach(() => shown?.close());

  /** Begins on a page and follows the provider back to it; the page has loaded anew then. */
  async function leadBack(client, sub) {
    shown = page(PAGE);
    const begun = await client.auth.signInWithProvider.begin("acme", { redirect: PAGE });
    assert.deepEqual(shown.visited, [begun]);
    const { shared } = shown;
    shown.close();
    const returned = await redirectOf(await logIn(begun, sub));
    shown = page(returned, { shared });
    return returned;
  }

  test("ends on the page, whose address is cleaned", async () => {
    const { client, names } = newClient();
    const { sub, email } = await person();
    const returned = await leadBack(client, sub);
    assert.match(returned, /[?&]accessToken=/);
    const result = await client.auth.signInWithProvider.complete();
    assert.equal(result.isNewUser, true);
    assert.equal(result.tokenType, "Bearer");
    assert.ok(result.expiresIn > 0);
    assert.equal(shown.address, PAGE);
    assert.deepEqual([...shown.shared], []);
    assert.equal((await client.auth.me()).email, email);
    assert.deepEqual(names(), ["signedIn"]);
    assert.equal(await client.auth.signInWithProvider.complete(), null);
  });

  test("brings back the server's refusal", async () => {
    const { sub, email } = await person();
    await newClient().client.auth.signUp({ email, password, name: "First" });
    const { client, names } = newClient();
    await leadBack(client, sub);
    const refused = client.auth.signInWithProvider.complete();
    const code = "auth/account-exists-different-provider";
    await assert.rejects(refused, bkendError({ status: 0, code }));
    assert.equal(shown.address, PAGE);
    assert.deepEqual(names(), []);
  });

  test("that this tab did not begin is refused, and its tokens are gone", async () => {
    const attacker = newClient().client;
    const { sub } = await person();
    const returned = await leadBack(attacker, sub);
    shown.close();
    const forged = [returned, returned.replace(/signInTicket=\w+&/, "")];
    for (const address of forged) {
      const { client, names } = newClient();
      shown = page(address);
      const victim = client.auth.signInWithProvider.complete();
      await assert.rejects(victim, bkendError({ code: "client/unexpected-sign-in" }));
      assert.equal(shown.address, PAGE);
      assert.deepEqual(names(), []);
      shown.close();
    }
  });

  test("leaves a page alone that was opened otherwise", async () => {
    const { client } = newClient();
    assert.equal(await client.auth.signInWithProvider.complete(), null);
    shown = page("http://localhost:3000/in?error=auth%2Finvalid-token&verified=false");
    assert.equal(await client.auth.signInWithProvider.complete(), null);
    assert.match(shown.address, /error=/);
  });

  test("outside a browser only says where to go", async () => {
    const { client } = newClient();
    const url = await client.auth.signInWithProvider.begin("acme", { redirect: PAGE });
    assert.ok(url.startsWith(`${provider}/`));
    const unknown = client.auth.signInWithProvider.begin("nobody", { redirect: PAGE });
    await assert.rejects(unknown, bkendError({ code: "auth/unsupported-provider" }));
    const unset = client.auth.signInWithProvider.begin("google", { redirect: PAGE });
    await assert.rejects(unset, bkendError({ code: "auth/oauth-not-configured" }));
  });

  test("takes codes and ID tokens that the app got", async () => {
    const { client, names } = newClient();
    const { sub, email } = await person();
    const idToken = await idTokenFor(sub);
    const first = await client.auth.signInWithProvider.exchange("acme", { idToken });
    assert.equal(first.is_new_user, true);
    const grant = { code: await codeFor(sub), redirectUri: CALLBACK };
    const second = await client.auth.signInWithProvider.exchange("acme", grant);
    assert.equal(second.is_new_user, false);
    assert.equal(second.user.email, email);
    assert.deepEqual(names(), ["signedIn", "signedIn"]);
    const forged = client.auth.signInWithProvider.exchange("acme", { idToken: "a.b.c" });
    await assert.rejects(forged, bkendError({ status: 401, code: "auth/invalid-oauth-code" }));
    assert.equal((await client.auth.me()).email, email);
  });

  test("can be added to an account and taken from it", async () => {
    const { client, user, http } = await signedUp();
    const { sub } = await person();
    const linked = await client.auth.accounts.link({
      provider: "acme", idToken: await idTokenFor(sub),
    });
    assert.equal(linked.provider, "acme");
    const { items } = await client.auth.accounts.list({ limit: 5 });
    assert.deepEqual(items.map((account) => account.provider), ["email", "acme"]);
    const twice = client.auth.accounts.link({ provider: "acme", idToken: await idTokenFor(sub) });
    await assert.rejects(twice, bkendError({ code: "auth/account-already-linked" }));
    const forged = client.auth.accounts.link({ provider: "acme", idToken: "a.b.c" });
    await assert.rejects(forged, bkendError({ code: "auth/invalid-oauth-code" }));
    assert.equal(http.refreshes().length, 0);
    await client.auth.accounts.unlink("acme");
    const gone = client.auth.accounts.unlink("acme");
    await assert.rejects(gone, bkendError({ status: 404, code: "auth/account-not-found" }));
    const question = { type: "credentials", provider: "email", providerAccountId: user.email };
    assert.equal((await client.auth.accounts.check(question)).exists, true);
    const unknown = { ...question, providerAccountId: `x${user.email}` };
    assert.deepEqual(await client.auth.accounts.check(unknown), { exists: false });
  });

  test("is the last way in that is not taken away", async () => {
    const { client } = newClient();
    const { sub } = await person();
    await client.auth.signInWithProvider.exchange("acme", { idToken: await idTokenFor(sub) });
    const last = client.auth.accounts.unlink("acme");
    await assert.rejects(last, bkendError({ status: 400, code: "auth/last-auth-method" }));
  });
});
