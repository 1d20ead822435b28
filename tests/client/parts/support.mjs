import { randomUUID } from "node:crypto";

import { createClient, memoryStorage } from "../../../src/bkend/client/bkend.js";

function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests need a running server`);
  return value;
}

export const baseUrl = setting("BKEND_TEST_URL").replace(/\/$/, "");
export const key = setting("BKEND_TEST_KEY");
export const secretKey = setting("BKEND_TEST_SECRET_KEY");
export const password = "correct horse battery";

/** A fetch that notes every request; `intercept` may answer in the server's place. */
export function recorder(intercept = () => undefined) {
  const calls = [];
  const recording = async (url, init) => {
    const call = { url, init, path: new URL(url).pathname, headers: new Headers(init.headers) };
    calls.push(call);
    return (await intercept(call, calls)) ?? fetch(url, init);
  };
  return Object.assign(recording, {
    calls,
    to: (path) => calls.filter((call) => call.path === path),
    refreshes: () => calls.filter(isRefresh),
  });
}

export const isRefresh = ({ path }) => path === "/v1/auth/refresh";

export const json = (body, init) => new Response(JSON.stringify(body), init);

/** A client with its storage and its recorder; `events` lists what its onChange heard. */
export function newClient({ intercept, storage = memoryStorage(), ...options } = {}) {
  const http = recorder(intercept);
  const client = createClient({ baseUrl, key, storage, fetch: http, ...options });
  const events = [];
  client.auth.onChange((event, tokens) => events.push([event, tokens]));
  return { client, http, storage, events, names: () => events.map(([name]) => name) };
}

export const newUser = () => ({ email: `${randomUUID()}@example.com`, password, name: "Ada" });

/** A client whose user has just signed up; requests and events so far are forgotten. */
export async function signedUp(options) {
  const setup = newClient(options);
  const user = newUser();
  const result = await setup.client.auth.signUp(user);
  setup.http.calls.length = 0;
  setup.events.length = 0;
  return { ...setup, user, id: result.user.id };
}

/** Makes the stored access token one that the server refuses, as if it had expired. */
export async function spoilAccessToken(storage) {
  const tokens = await storage.get();
  await storage.set({ ...tokens, accessToken: spoiled(tokens.accessToken) });
}

/** The same token with another signature. */
export function spoiled(jwt) {
  const [header, payload, signature] = jwt.split(".");
  return [header, payload, [...signature].reverse().join("")].join(".");
}

/** Ends the session on the server behind the client's back. */
export async function endSession(storage) {
  const { accessToken } = await storage.get();
  const headers = { "X-API-Key": key, Authorization: `Bearer ${accessToken}` };
  const response = await fetch(`${baseUrl}/v1/auth/signout`, { method: "POST", headers });
  if (!response.ok) throw new Error(`sign-out answered ${response.status}`);
}

/** A promise with its `open` function. */
export function gate() {
  let open;
  const opened = new Promise((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** A matcher for assert.rejects: a BkendError with these members. */
export const bkendError = (expected) => ({ name: "BkendError", ...expected });
