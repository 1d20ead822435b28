// Client of a bkend server, for browsers and Node 18 or newer. How to use it: bkend.d.ts.

/** The server writes its own address here when it serves this file. */
const SERVED_BASE_URL = "__BKEND_BASE_URL__";

/** A refresh that hangs would hold up every other tab waiting for the lock. */
const REFRESH_TIMEOUT_MS = 15_000;

/** Endpoints that ignore the token: their 401 judges the body, not the session. */
const TOKENLESS_ENDPOINT = new RegExp(
  "^/v1/auth/(refresh|email/(signup|signin|verify/[^/]+)|signup/email/[^/]+|password/reset/[^/]+" +
    "|accounts/check|invitations/(accept|reject)|[^/]+/(callback|authorize))/?$",
);

/** A 401 that a new access token would not change. */
const FINAL_CODE = /^auth\/invalid-(credentials|password|mfa-code|oauth-code)$/;

/** Bodies that fetch encodes itself. */
const NATIVE_BODY = /^(FormData|Blob|File|ArrayBuffer|URLSearchParams|ReadableStream)$/;

/** Every failure of a call: an error answer, an unreachable server, a misuse of the client. */
export class BkendError extends Error {
  constructor({ status, code, message, details = [], requestId = null, retryAfter = null, cause }) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "BkendError";
    Object.assign(this, { status, code, details, requestId, retryAfter });
  }
}

const misuse = (code, message) => new BkendError({ status: 0, code: `client/${code}`, message });

/** The class by its tag: instanceof fails for objects of another realm. */
const kindOf = (value) => Object.prototype.toString.call(value).slice(8, -1);

function orNull(produce) {
  try {
    return produce() ?? null;
  } catch {
    return null;
  }
}

const parseJson = (text) => orNull(() => JSON.parse(text));

/** Keeps the tokens for as long as the object lives. */
export function memoryStorage() {
  let stored = null;
  const set = (tokens) => void (stored = tokens);
  return { private: true, get: () => stored, set, remove: () => set(null) };
}

/** Keeps the tokens in the browser's localStorage; in memory where that is missing or refused. */
export function localStorageStorage() {
  const area = orNull(() => globalThis.localStorage);
  const usable = orNull(() => {
    area.setItem("bkend:probe", "");
    area.removeItem("bkend:probe");
    return true;
  });
  return usable ? areaStorage(area, "bkend") : memoryStorage();
}

function areaStorage(area, name) {
  return {
    get: () => parseJson(area.getItem(name)),
    set: (tokens) => area.setItem(name, JSON.stringify(tokens)),
    remove: () => area.removeItem(name),
    named: (other) => areaStorage(area, other),
    subscribe(listener) {
      const hear = ({ storageArea, key, newValue, oldValue }) => {
        const ours = key === name || key === null; // null: the whole area was cleared
        if (storageArea === area && ours) listener(parseJson(newValue), parseJson(oldValue));
      };
      globalThis.addEventListener("storage", hear);
      return () => globalThis.removeEventListener("storage", hear);
    },
  };
}

const inBrowser = () => typeof document !== "undefined";

// Node's own localStorage belongs to the process, not to one user: never a default there.
const defaultStorage = () => (inBrowser() ? localStorageStorage() : memoryStorage());

const queues = new WeakMap();

/** Runs `task` alone among all users of `storage`: across tabs where the browser has locks. */
function exclusively(storage, name, task) {
  const locks = inBrowser() && !storage.private && globalThis.navigator?.locks;
  if (locks) return locks.request(name, () => task());
  const run = (queues.get(storage) ?? Promise.resolve()).then(task);
  queues.set(storage, run.catch(() => {}));
  return run;
}

const validTokens = (value) =>
  typeof value?.accessToken === "string" && typeof value.refreshToken === "string" ? value : null;

function tokensOf(pair) {
  if (!validTokens(pair)) throw misuse("invalid-tokens", "accessToken and refreshToken are needed");
  const { accessToken, refreshToken } = pair;
  return { accessToken, refreshToken, userId: subjectOf(accessToken) };
}

const subjectOf = (jwt) =>
  orNull(() => JSON.parse(atob(jwt.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).sub);

/** Whether the tokens surely belong to two users: a call must not be repeated as another one. */
const changedUser = (a, b) => Boolean(a.userId && b.userId && a.userId !== b.userId);

/** Whether the server itself says that the session is over; a proxy may answer 404 as well. */
const isRefusal = ({ status, code }) =>
  status === 401 || (status === 404 && String(code).startsWith("auth/"));

/** The stored tokens of one client: who may replace them when, and who hears of it. */
class TokenStore {
  #storage;
  #lock;
  #requestTokens;
  #renewals = new Map();
  #listeners = new Set();

  constructor(storage, name, requestTokens) {
    this.#storage = storage;
    this.#lock = (task) => exclusively(storage, name, task);
    this.#requestTokens = requestTokens;
  }

  async read() {
    return validTokens(await this.#storage.get());
  }

  async save(pair) {
    const tokens = tokensOf(pair);
    await this.#lock(() => this.#storage.set(tokens));
    this.#emit("signedIn", tokens);
    return tokens;
  }

  /** Forgets the session that `tokens` belong to, unless another user has signed in since. */
  clear(tokens) {
    return this.#lock(async () => {
      const stored = await this.read();
      if (stored && !changedUser(stored, tokens)) await this.#remove();
    });
  }

  async #remove() {
    await this.#storage.remove();
    this.#emit("signedOut", null);
  }

  /** The tokens that follow `sent`, null when signed out since. One refresh serves all callers. */
  renew({ accessToken }) {
    const forget = () => this.#renewals.delete(accessToken);
    const start = () => this.#lock(() => this.#renewAlone(accessToken)).finally(forget);
    if (!this.#renewals.has(accessToken)) this.#renewals.set(accessToken, start());
    return this.#renewals.get(accessToken);
  }

  async #renewAlone(accessToken) {
    const stored = await this.read();
    if (stored?.accessToken !== accessToken) return stored;
    const renewal = this.#requestTokens(stored.refreshToken);
    const [fresh, error] = await renewal.then((tokens) => [tokens], (error) => [null, error]);
    if (error && !isRefusal(error)) throw error;
    // Without locks another tab may have refreshed, or signed in or out, during the request.
    const current = await this.read();
    if (current?.refreshToken !== stored.refreshToken) return current;
    await (error ? this.#remove() : this.#storage.set(fresh));
    if (error) throw error;
    this.#emit("refreshed", fresh);
    return fresh;
  }

  onChange(listener) {
    // Apart from the call that causes the event, which a listener's mistake must not fail.
    const notify = (event, tokens) => queueMicrotask(() => listener(event, tokens));
    this.#listeners.add(notify);
    const leave = this.#storage.subscribe?.((next, previous) => {
      const [tokens, before] = [validTokens(next), validTokens(previous)];
      if (!tokens) notify("signedOut", null);
      else notify(before && !changedUser(tokens, before) ? "refreshed" : "signedIn", tokens);
    });
    return () => {
      this.#listeners.delete(notify);
      leave?.();
    };
  }

  #emit(event, tokens) {
    for (const notify of this.#listeners) notify(event, tokens);
  }
}

/** The full address of `path`; neither key nor token ever goes to another origin. */
function addressOf(baseUrl, path) {
  const absolute = /^([a-z][a-z\d+.-]*:|[\\/]{2})/i.test(path);
  const url = absolute ? new URL(path, baseUrl) : new URL(`${baseUrl}/${path.replace(/^\//, "")}`);
  const { origin } = new URL(baseUrl);
  if (url.href.startsWith(`${origin}/`)) return url;
  throw misuse("foreign-origin", `${url.href} is not at ${origin}: call it with plain fetch()`);
}

/** Sends one request and returns its parsed body, or the Response when `raw`. */
async function send({ key, fetch }, url, { headers: given, body, auth, raw, ...init }, token) {
  const headers = new Headers(given);
  if (!headers.has("X-API-Key")) headers.set("X-API-Key", key);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  const content = encodeBody(body, headers);
  const method = init.method ?? (content === undefined ? "GET" : "POST");
  try {
    // A followed redirect would carry the key along to wherever it leads.
    const request = { redirect: "error", ...init, method, headers, body: content };
    const response = await fetch(url.href, request);
    if (!response.ok) throw await errorOf(response);
    return raw ? response : bodyOf(response.status, await response.text());
  } catch (error) {
    throw error instanceof BkendError || init.signal?.aborted ? error : unreachable(url, error);
  }
}

function unreachable(url, cause) {
  const message = `${url.origin} cannot be reached: ${cause?.message ?? cause}`;
  return new BkendError({ status: 0, code: "network/unreachable", message, cause });
}

function encodeBody(body, headers) {
  if (body === undefined || body === null) return undefined;
  if (ArrayBuffer.isView(body) || NATIVE_BODY.test(kindOf(body))) return body;
  if (!headers.has("Content-Type")) headers.set("Content-Type", "application/json");
  return typeof body === "string" ? body : JSON.stringify(body);
}

function bodyOf(status, text) {
  if (text === "") return null;
  const body = parseJson(text);
  if (body === null && text.trim() !== "null") {
    const message = `Not JSON: "${text.slice(0, 80)}"; raw: true returns other content`;
    throw new BkendError({ status, code: "client/invalid-response", message });
  }
  return body?.success === undefined || body.data === undefined ? body : body.data;
}

async function errorOf(response) {
  const { status, statusText, headers } = response;
  const body = parseJson(await response.text().catch(() => "")) ?? {};
  const error = typeof body.error === "string" ? { message: body.error } : (body.error ?? {});
  const retryAfter = Number.parseInt(headers.get("Retry-After"), 10);
  return new BkendError({
    status,
    code: error.code ?? body.code ?? `http/${status}`,
    message: error.message ?? body.message ?? `HTTP ${status} ${statusText}`.trim(),
    details: Array.isArray(error.details) ? error.details : [],
    requestId: headers.get("X-Request-Id") ?? body.requestId ?? null,
    retryAfter: Number.isNaN(retryAfter) ? null : retryAfter,
  });
}

/** `promise`, given up when `signal` aborts; what it stands for goes on for others. */
function abortable(promise, signal) {
  const aborted = new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, aborted]);
}

/** A call as the signed-in user: after an expired token, one refresh and one repetition. */
async function callAs(store, server, path, options) {
  const url = addressOf(server.baseUrl, path);
  const anonymous = options.auth === false || new Headers(options.headers).has("Authorization");
  const tokens = anonymous ? null : await store.read();
  try {
    return await send(server, url, options, tokens?.accessToken);
  } catch (error) {
    const curable = error.status === 401 && !FINAL_CODE.test(error.code);
    const repeatable = kindOf(options.body) !== "ReadableStream";
    const [route] = url.href.slice(server.baseUrl.length).split(/[?#]/);
    if (!tokens || !curable || !repeatable || TOKENLESS_ENDPOINT.test(route)) throw error;
    const fresh = await abortable(store.renew(tokens), options.signal);
    if (!fresh || changedUser(fresh, tokens)) throw error;
    return send(server, url, options, fresh.accessToken);
  }
}

async function requestTokens(server, refreshToken) {
  const url = addressOf(server.baseUrl, "/v1/auth/refresh");
  const signal = AbortSignal.timeout(REFRESH_TIMEOUT_MS);
  try {
    return tokensOf(await send(server, url, { body: { refreshToken }, signal }));
  } catch (error) {
    throw error instanceof BkendError ? error : unreachable(url, error);
  }
}

function authApi(call, store) {
  const enter = async (path, form) => {
    const body = { method: "password", ...form };
    const result = await call(path, { method: "POST", body, auth: false });
    await store.save(result);
    return result;
  };
  return {
    signUp: (form) => enter("/v1/auth/email/signup", form),
    signIn: (form) => enter("/v1/auth/email/signin", form),
    me: (options) => call("/v1/auth/me", options),
    sessions: (query, options) => call(`/v1/auth/sessions${queryString(query)}`, options),
    getSession: () => store.read(),
    setSession: (pair) => store.save(pair),
    onChange: (listener) => store.onChange(listener),
    signOut: () => signOut(call, store),
    async refresh() {
      const tokens = await store.read();
      const fresh = tokens && (await store.renew(tokens));
      if (!fresh) throw misuse("not-signed-in", "There is no session to refresh");
      return fresh;
    },
  };
}

async function signOut(call, store) {
  const tokens = await store.read();
  if (!tokens) return;
  try {
    await call("/v1/auth/signout", { method: "POST" });
  } catch (error) {
    if (!isRefusal(error)) throw error; // refused: the session had ended already
  } finally {
    await store.clear(tokens);
  }
}

function tableApi(call, table) {
  const collection = `/v1/data/${segment(table, "table name")}`;
  const at = (id) => `${collection}/${segment(id, "id")}`;
  return {
    create: async (body, options) => call(collection, { ...options, method: "POST", body }),
    get: async (id, { select, ...rest } = {}) => call(at(id) + queryString({ select }), rest),
    list: async (query, options) => call(collection + queryString(query), options),
    update: async (id, body, options) => call(at(id), { ...options, method: "PATCH", body }),
    delete: async (id, options) => call(at(id), { ...options, method: "DELETE" }),
  };
}

function segment(value, what) {
  const text = String(value ?? "");
  // Dots cannot be escaped: URLs resolve them, and the call would reach another path.
  if (["", ".", ".."].includes(text)) throw misuse("invalid-path", `"${text}" is no valid ${what}`);
  return encodeURIComponent(text);
}

function queryString(query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => (value ?? null) !== null);
  const pairs = given.map(([name, value]) => [name, queryValue(name, value)]);
  return pairs.length > 0 ? `?${new URLSearchParams(pairs)}` : "";
}

function queryValue(name, value) {
  if (Array.isArray(value) && !name.endsWith("Filters")) return value.join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function resolveBaseUrl(given) {
  const text = given ?? (SERVED_BASE_URL.startsWith("http") ? SERVED_BASE_URL : null);
  if (text === null) throw misuse("no-base-url", "baseUrl is needed: no server served this file");
  const { origin, pathname } = new URL(text, globalThis.location?.href);
  return origin + pathname.replace(/\/+$/, "");
}

/** A client of one project environment. */
export function createClient({ baseUrl: address, key, storage, storageKey, fetch } = {}) {
  const baseUrl = resolveBaseUrl(address);
  if (!key) throw misuse("no-key", "key is needed: a publishable key (pk_…) of the project");
  // Two apps on one origin must not share a session; the start of a key tells them apart.
  const name = storageKey ?? `bkend:${baseUrl}:${key.slice(0, 19)}`;
  const kept = storage ?? defaultStorage();
  // Called without `this`, and looked up late, so that a page may replace its fetch.
  const server = { baseUrl, key, fetch: fetch ?? ((url, init) => globalThis.fetch(url, init)) };
  const refresh = (refreshToken) => requestTokens(server, refreshToken);
  const store = new TokenStore(kept.named?.(name) ?? kept, name, refresh);
  const call = async (path, options = {}) => callAs(store, server, path, options);
  const from = (table) => tableApi(call, table);
  return { baseUrl, fetch: call, auth: authApi(call, store), from };
}

let defaultClient = null;

/** Sets up the client that bkendFetch uses, and returns it. */
export function configure(options) {
  defaultClient = createClient(options);
  return defaultClient;
}

/** Calls the API as the signed-in user and returns the parsed body; configure() comes first. */
export async function bkendFetch(path, options) {
  if (!defaultClient) throw misuse("not-configured", "Call configure({ key }) before bkendFetch()");
  return defaultClient.fetch(path, options);
}
