import { createHmac, randomUUID } from "node:crypto";

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

const environment = `${baseUrl}/manage/v1/projects/app/environments/dev`;
const managementToken = setting("BKEND_TEST_MANAGEMENT_TOKEN");
export const provider = setting("BKEND_TEST_PROVIDER").replace(/\/$/, "");

/** A call of a developer's, not of the app. */
export async function manage(path, { method = "GET", body } = {}) {
  const headers = { Authorization: `Bearer ${managementToken}` };
  const init = { method, headers, body: body && JSON.stringify(body) };
  const response = await fetch(environment + path, init);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

/** The query of the newest link that was mailed to `address`; mails leave after the answer. */
export async function mailedLink(address, template) {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const { items } = await manage("/outbox?limit=100");
    const found = items.find((mail) => mail.to === address && mail.template === template);
    if (found) return Object.fromEntries(new URL(found.links[0]).searchParams);
    await new Promise((wake) => setTimeout(wake, 20));
  }
  throw new Error(`no ${template} for ${address}`);
}

/** What an authenticator app shows now, or as many steps of 30 seconds away (RFC 6238). */
export function totp(secret, steps = 0) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const digits = [...secret.replace(/=+$/, "")].map((sign) => alphabet.indexOf(sign));
  const bits = digits.map((digit) => digit.toString(2).padStart(5, "0")).join("");
  const bytes = bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac("sha1", Buffer.from(bytes)).update(counter).digest();
  const word = hash.readUInt32BE(hash.at(-1) & 15) & 0x7fffffff;
  return String(word % 1_000_000).padStart(6, "0");
}

/** As much of a page as the client touches; `address` is what its address bar shows. */
export function page(address, { shared = new Map() } = {}) {
  const shown = { address, visited: [] };
  const globals = {
    document: {},
    location: {
      get href() { return shown.address; },
      get origin() { return new URL(shown.address).origin; },
      get pathname() { return new URL(shown.address).pathname; },
      assign: (url) => void shown.visited.push(url),
    },
    history: { state: { kept: true }, replaceState: (_, __, url) => void (shown.address = url) },
    sessionStorage: {
      getItem: (name) => shared.get(name) ?? null,
      setItem: (name, value) => void shared.set(name, value),
      removeItem: (name) => void shared.delete(name),
    },
  };
  const before = Object.keys(globals).map((name) => [
    name, Object.getOwnPropertyDescriptor(globalThis, name),
  ]);
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { configurable: true, value });
  }
  const close = () => {
    for (const [name, descriptor] of before) {
      delete globalThis[name];
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    }
  };
  return Object.assign(shown, { close, shared });
}
