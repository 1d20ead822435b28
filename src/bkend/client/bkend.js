// Client of a bkend server, for browsers and Node 18 or newer. How to use it: bkend.d.ts.

/** The server writes its own address here when it serves this file. */
const SERVED_BASE_URL = "__BKEND_BASE_URL__";
const SERVED_IMG_URL = "__BKEND_IMG_URL__";

/** A refresh that hangs would hold up every other tab waiting for the lock. */
const REFRESH_TIMEOUT_MS = 15_000;

const MIB = 1024 * 1024;
/** Files up to this size go as a whole, larger ones in parts; the server wants parts of 5 MiB. */
const WHOLE_LIMIT = 10 * MIB;
const PART_SIZE = 8 * MIB;
const MOST_PARTS = 10_000;
const PARTS_AT_ONCE = 4;
/** The server drops an upload in parts that has rested for so long. */
const PARTS_KEPT_MS = 7 * 24 * 60 * 60 * 1000;

const ATTEMPTS = 5;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 60_000;
/** An upload of which nothing leaves for so long is begun again: its connection may be dead. */
const STILL_MS = 60_000;
const CLEANUP_MS = 10_000;

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
  return { accessToken, refreshToken, userId: claimsOf(accessToken).sub ?? null };
}

/** What a token says of itself; unverified, so good for nothing but to tell sessions apart. */
const claimsOf = (jwt) =>
  orNull(() => JSON.parse(atob(jwt.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")))) ?? {};

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

/** The page's own address without query and fragment: where links lead back to by default. */
const pageAddress = () =>
  inBrowser() ? globalThis.location.origin + globalThis.location.pathname : undefined;

/** Takes query parameters out of the page's address, so that no history or referrer keeps them. */
export function takeFromAddress(...names) {
  if (!inBrowser()) return null;
  const url = new URL(globalThis.location.href);
  const found = names.filter((name) => url.searchParams.has(name));
  if (found.length === 0) return null;
  const taken = found.map((name) => [name, url.searchParams.get(name)]);
  for (const name of found) url.searchParams.delete(name);
  globalThis.history.replaceState(globalThis.history.state, "", url.href);
  return Object.fromEntries(taken);
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

/** What every group of calls needs: to call, to sign in by a call, to sign out by one. */
function actionsOf(call, store) {
  const post = async (path, body, options) => call(path, { ...options, method: "POST", body });
  /** A call that answers with tokens. */
  const enter = async (path, body) => {
    const result = await post(path, body, { auth: false });
    await store.save(result);
    return result;
  };
  /** A call after which the tokens are worth nothing, if `ends` says so of them. */
  const leave = async (path, options, ends = () => true) => {
    const tokens = await store.read();
    const answer = await call(path, options);
    if (tokens && ends(tokens)) await store.clear(tokens);
    return answer;
  };
  return { call, post, enter, leave, read: () => store.read() };
}

/** Calls while `task` runs share its outcome: pages may start their effects twice. */
function shared(task) {
  let running = null;
  return (...given) => (running ??= task(...given).finally(() => (running = null)));
}

function authApi(call, store, name) {
  const actions = actionsOf(call, store);
  const { post, enter, leave } = actions;
  return {
    signUp: (form) => enter("/v1/auth/email/signup", { method: "password", ...form }),
    signIn: (form) => enter("/v1/auth/email/signin", { method: "password", ...form }),
    signInWithLink: linkApi(actions),
    signInWithProvider: providerApi(actions, store, name),
    resetPassword: {
      request: (form) => post("/v1/auth/password/reset/request", form, { auth: false }),
      confirm: (form) => post("/v1/auth/password/reset/confirm", form, { auth: false }),
    },
    verifyEmail: verificationApi(actions),
    changePassword: (body) => leave("/v1/auth/password/change", { method: "POST", body }),
    me: (options) => call("/v1/auth/me", options),
    sessions: sessionsApi(actions),
    mfa: {
      enable: (form) => post("/v1/auth/mfa/enable", form),
      confirm: (form) => post("/v1/auth/mfa/confirm", form),
      disable: (form) => post("/v1/auth/mfa/disable", form),
    },
    accounts: accountsApi(actions),
    withdraw: () => leave("/v1/auth/withdraw", { method: "DELETE" }),
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

function linkApi({ post, enter }) {
  let token = null; // outlives auth/mfa-required: the page's address has lost it by then
  const request = ({ signUp = false, callbackUrl = pageAddress(), ...form }) => {
    const body = { ...form, method: "magiclink", callbackUrl };
    return post(`/v1/auth/email/${signUp ? "signup" : "signin"}`, body, { auth: false });
  };
  const complete = async ({ token: given, mfaCode } = {}) => {
    token = given ?? takeFromAddress("token")?.token ?? token;
    if (!token) return null;
    const result = await enter("/v1/auth/email/callback", { token, mfaCode });
    token = null;
    return result;
  };
  return { request, complete: shared(complete) };
}

/** What comes back in the address from a sign-in that `begin` sent to a provider. */
const RETURNED = ["accessToken", "refreshToken", "expiresIn", "isNewUser", "error", "errorMessage"];

/** Names the sign-in that this tab began: without it a link could sign visitors in as its maker. */
const TICKET = "signInTicket";

function providerApi({ call, enter }, store, name) {
  const tickets = () => orNull(() => globalThis.sessionStorage); // may be refused
  const kept = `${name}:${TICKET}`;

  async function begin(provider, { redirect = pageAddress(), navigate = inBrowser() } = {}) {
    const target = new URL(redirect);
    const ticket = navigate ? randomTicket() : null;
    if (ticket) target.searchParams.set(TICKET, ticket);
    const path = `/v1/auth/${segment(provider, "provider")}/authorize`;
    const query = queryString({ redirect: target.href });
    const { authorizationUrl } = await call(path + query, { auth: false });
    if (!ticket) return authorizationUrl;
    tickets()?.setItem(kept, ticket);
    globalThis.location.assign(authorizationUrl);
    return authorizationUrl;
  }

  async function complete() {
    const known = inBrowser() ? new URL(globalThis.location.href).searchParams : null;
    if (!known?.has(TICKET) && !known?.has("accessToken")) return null;
    const { [TICKET]: ticket, ...found } = takeFromAddress(TICKET, ...RETURNED);
    const ours = ticket && tickets()?.getItem(kept) === ticket;
    if (!ours) throw misuse("unexpected-sign-in", "This tab did not begin the sign-in: try again");
    tickets().removeItem(kept);
    const { error: code, errorMessage: message = code, accessToken, refreshToken } = found;
    if (code) throw new BkendError({ status: 0, code, message });
    await store.save({ accessToken, refreshToken });
    const expiresIn = Number(found.expiresIn);
    const isNewUser = found.isNewUser === "true";
    return { accessToken, refreshToken, tokenType: "Bearer", expiresIn, isNewUser };
  }

  const exchange = async (provider, grant) =>
    enter(`/v1/auth/${segment(provider, "provider")}/callback`, grant);
  return { begin, complete: shared(complete), exchange };
}

function randomTicket() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const verificationApi = ({ call, post, read }) => ({
  async send(form) {
    // The endpoint takes an expired token for none, and would not change the address then.
    const user = (await read()) && (await call("/v1/auth/me"));
    return post("/v1/auth/email/verify/send", { email: user?.email, ...form });
  },
  confirm: (form) => post("/v1/auth/email/verify/confirm", form, { auth: false }),
});

const sessionsApi = ({ call, leave }) => ({
  list: (query, options) => call(`/v1/auth/sessions${queryString(query)}`, options),
  async end(id) {
    const path = `/v1/auth/sessions/${segment(id, "session id")}`;
    const isOwn = ({ accessToken }) => claimsOf(accessToken).sid === id;
    return leave(path, { method: "DELETE" }, isOwn);
  },
});

const accountsApi = ({ call, post }) => ({
  list: (query, options) => call(`/v1/auth/accounts${queryString(query)}`, options),
  link: (grant) => post("/v1/auth/accounts", grant),
  unlink: async (provider) =>
    call(`/v1/auth/accounts/${segment(provider, "provider")}`, { method: "DELETE" }),
  check: (question) => post("/v1/auth/accounts/check", question, { auth: false }),
});

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

function usersApi(call, store, http) {
  const { leave } = actionsOf(call, store);
  const at = (id) => `/v1/users/${segment(id, "user id")}`;
  /** The user that `options` name, by default the signed-in one. */
  const pathOf = async (options) => {
    if ("userId" in options) return at(options.userId);
    const tokens = await store.read();
    if (!tokens?.userId) throw misuse("not-signed-in", "Nobody is signed in: pass userId");
    return at(tokens.userId);
  };
  /** A call about the user that the options name. */
  const ask = async (options, rest, init) => {
    const { userId, ...others } = options;
    return call((await pathOf(options)) + rest, { ...others, ...init });
  };
  const part = (name) => ({
    get: (options = {}) => ask(options, name),
    update: (body, options = {}) => ask(options, name, { method: "PATCH", body }),
  });
  return {
    list: async (query, options) => call(`/v1/users${queryString(query)}`, options),
    get: async (id, options) => call(at(id), options),
    create: async (body, options) => call("/v1/users", { ...options, method: "POST", body }),
    update: async (id, body, options) => call(at(id), { ...options, method: "PATCH", body }),
    setRole: async (id, role) => call(`${at(id)}/role`, { method: "PATCH", body: { role } }),
    delete: async (id) => leave(at(id), { method: "DELETE" }, ({ userId }) => userId === id),
    profile: part("/profile"),
    preferences: part("/preferences"),
    notifications: part("/notifications"),
    onboarding: part("/onboarding"),
    publicSettings: part("/public-settings"),
    avatar: avatarApi(ask, http),
  };
}

const avatarApi = (ask, http) => ({
  async upload(picture, { filename = picture.name ?? "avatar", onProgress, ...options } = {}) {
    const wish = { filename, contentType: picture.type || undefined };
    const place = await ask(options, "/avatar/upload-url", { method: "POST", body: wish });
    const type = picture.type || `image/${place.key.split(".").pop().replace(/^jpg$/, "jpeg")}`;
    const body = picture.slice(0, picture.size, type); // fetch sends a Blob's type as its header
    const { signal } = options;
    const total = body.size;
    const onSent = onProgress && ((loaded) => loaded < total && onProgress({ loaded, total }));
    await put(http, place.uploadUrl, { body, signal, onSent });
    onProgress?.({ loaded: total, total });
    return ask(options, "/avatar", { method: "PATCH", body: { s3Key: place.key } });
  },
  remove: (options = {}) => ask(options, "/avatar", { method: "DELETE" }),
});

/** Sends bytes to a signed address, which may be another server's: no key, no token. */
async function put(http, address, { body, signal, onSent }) {
  const url = new URL(address);
  const watched = onSent && typeof XMLHttpRequest !== "undefined";
  try {
    const response = watched
      ? await putWatched(url.href, { body, signal, onSent })
      : await http(url.href, { method: "PUT", body, signal });
    if (!response.ok) throw await errorOf(response);
    await response.text();
    return response;
  } catch (error) {
    throw error instanceof BkendError || signal?.aborted ? error : unreachable(url, error);
  }
}

/** Only XMLHttpRequest tells how much of a body has left. */
function putWatched(href, { body, signal, onSent }) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    let still = setTimeout(stop, STILL_MS);
    request.upload.onprogress = ({ loaded }) => {
      clearTimeout(still);
      still = setTimeout(stop, STILL_MS);
      onSent(loaded);
    };
    request.onload = () => resolve(responseOf(request));
    request.onerror = () => reject(new TypeError("The upload broke"));
    request.onabort = () =>
      reject(signal?.aborted ? signal.reason : new TypeError("The upload stood still"));
    request.onloadend = () => {
      clearTimeout(still);
      signal?.removeEventListener("abort", stop);
    };
    signal?.addEventListener("abort", stop);
    request.open("PUT", href);
    request.send(body);
  });
}

function responseOf(request) {
  const { status, statusText, responseText } = request;
  // Asking for a header that CORS hides would complain in the console; the list leaves it out.
  const lines = request.getAllResponseHeaders().trim().split(/[\r\n]+/).filter(Boolean);
  const headers = lines.map((line) => line.split(/: ?(.*)/s).slice(0, 2));
  return new Response(responseText || null, { status, statusText, headers });
}

// --- Files: whole or in parts, again where that helps, further where it was interrupted

/** What may go better the next time. */
const isPassing = ({ status, code }) =>
  code === "network/unreachable" || status === 408 || status === 429 || status >= 500;

/** Runs `task` until it succeeds or fails for good, with growing rests in between. */
async function persistently(task, signal) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof BkendError) || !isPassing(error) || attempt === ATTEMPTS) throw error;
      const growing = FIRST_DELAY_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
      const delay = error.retryAfter === null ? growing : error.retryAfter * 1000;
      if (delay > LONGEST_DELAY_MS) throw error;
      signal.throwIfAborted();
      await rest(delay, signal);
    }
  }
}

/** Waits, and leaves no timer behind that would keep a process alive. */
async function rest(ms, signal) {
  let timer;
  const over = new Promise((wake) => (timer = setTimeout(wake, ms)));
  await abortable(over, signal).finally(() => clearTimeout(timer));
}

/** A controller that follows the given signals until it is aborted itself. */
function following(...signals) {
  const own = new AbortController();
  for (const signal of signals.filter(Boolean)) {
    const follow = () => own.abort(signal.reason);
    if (signal.aborted) follow();
    else signal.addEventListener("abort", follow, { once: true, signal: own.signal });
  }
  return own;
}

/** Adds up what has left of each part, and tells of it; never less than before. */
class Progress {
  #sent = new Map();
  #told = -1;
  #total;
  #listener;

  constructor(total, listener) {
    this.#total = total;
    this.#listener = listener;
  }

  /** So many bytes of a part have left; part 0 is what the server had before. */
  note(part, bytes) {
    if (part === 0) this.#sent.clear();
    this.#sent.set(part, bytes);
    const sum = [...this.#sent.values()].reduce((all, one) => all + one, 0);
    this.#tell(Math.min(sum, this.#total - 1)); // the last byte counts once the server has all
  }

  end() {
    this.#tell(this.#total);
  }

  #tell(loaded) {
    if (loaded <= this.#told) return;
    this.#told = loaded;
    const total = this.#total;
    const percent = Math.floor((loaded / total) * 100);
    // Apart from the upload, which a listener's mistake must not end.
    if (this.#listener) queueMicrotask(() => this.#listener({ loaded, total, percent }));
  }
}

/** Remembers interrupted uploads for as long as the client lives. */
function uploadsInMemory() {
  const kept = new Map();
  return {
    get: (name) => parseJson(kept.get(name)),
    set: (name, upload) => void kept.set(name, JSON.stringify(upload)),
    remove: (name) => void kept.delete(name),
    names: () => [...kept.keys()],
  };
}

const uploadsInArea = (area) => ({
  get: (name) => parseJson(area.getItem(name)),
  // A full area must not end the upload; it merely cannot be resumed then.
  set: (name, upload) => void orNull(() => area.setItem(name, JSON.stringify(upload))),
  remove: (name) => area.removeItem(name),
  names: () => Object.keys(area),
});

function defaultUploads() {
  const area = inBrowser() ? orNull(() => globalThis.localStorage) : null; // may be refused
  return area ? uploadsInArea(area) : uploadsInMemory();
}

/** Names of the uploads that are on their way in this page. */
const busy = new Set();

/**
 * Runs `task` with the name, or with null where this upload is on its way already, here or in
 * another tab: the two would take the parts away from each other.
 */
async function claiming(name, task) {
  if (name === null || busy.has(name)) return task(null);
  busy.add(name);
  const locks = inBrowser() && globalThis.navigator?.locks;
  const claim = (lock) => task(lock ? name : null);
  try {
    return await (locks ? locks.request(name, { ifAvailable: true }, claim) : task(name));
  } finally {
    busy.delete(name);
  }
}

async function busyNames() {
  const locks = inBrowser() && globalThis.navigator?.locks;
  const { held = [] } = locks ? await locks.query() : {};
  return new Set([...busy, ...held.map(({ name }) => name)]);
}

const partSizeOf = (size) => Math.max(PART_SIZE, Math.ceil(size / MOST_PARTS / MIB) * MIB);

/** What was remembered, if that can be gone on with; null otherwise. */
function resumable(kept) {
  const texts = [kept?.uploadId, kept?.key, kept?.fileId, kept?.file?.name];
  const isSound = texts.every((text) => typeof text === "string") && kept.wanted && kept.parts;
  const isPlanned = isSound && kept.partSize === partSizeOf(kept.file.size);
  return isPlanned && Date.now() - kept.at < PARTS_KEPT_MS ? kept : null;
}

/** Bytes of the parts that the server has. */
function sentBytes({ parts, partSize, file: { size } }) {
  const sizes = Object.keys(parts).map((n) => Math.min(partSize, size - (n - 1) * partSize));
  return sizes.reduce((all, one) => all + one, 0);
}

const passOver404 = (error) => {
  if (error.status !== 404) throw error;
};

/** Takes back what the server has of an upload. */
async function takeBack(call, { uploadId, key, fileId, isComplete }) {
  const signal = AbortSignal.timeout(CLEANUP_MS);
  const post = (path, body) => call(path, { method: "POST", body, signal });
  if (uploadId && !isComplete) {
    const abort = post("/v1/files/multipart/abort", { key, uploadId });
    if (await abort.catch(passOver404)) return;
  }
  const path = `/v1/files/${segment(fileId, "file id")}`;
  const file = await post(`${path}/complete`).catch(passOver404); // what is registered can go
  if (file) await call(path, { method: "DELETE", signal }).catch(passOver404);
}

/** Whether what was remembered is worth nothing any more. */
const isGone = ({ status, code }) =>
  status === 404 || code === "file/invalid-path" || code === "file/invalid-parts-array";

/** One file on its way, from the first call to the last. */
class Upload {
  #api;
  #file;
  #options;
  #wanted;
  #signal;
  #progress;
  #place = null; // what the server said of it; of an upload in parts, all that is remembered
  #name = null; // under which it is remembered

  constructor(api, file, options, signal) {
    if (!["Blob", "File"].includes(kindOf(file))) {
      throw misuse("invalid-file", "upload takes a File or a Blob");
    }
    const { filename = file.name ?? "file", visibility, category, onProgress } = options;
    const contentType = (options.contentType ?? file.type) || "application/octet-stream";
    this.#wanted = { filename, contentType, fileSize: file.size, visibility, category };
    this.#api = api;
    this.#file = file;
    this.#options = options;
    this.#signal = signal;
    this.#progress = new Progress(file.size, onProgress);
  }

  async run() {
    const { size } = this.#file;
    const name = size > WHOLE_LIMIT ? await this.#api.nameOf(this.#file) : null;
    return claiming(name, async (claimed) => {
      this.#name = claimed;
      try {
        return await (size > WHOLE_LIMIT ? this.#inParts() : this.#whole());
      } catch (error) {
        const { signal } = this.#options;
        if (signal?.aborted) await this.#drop();
        signal?.throwIfAborted();
        throw error;
      }
    });
  }

  /** A file that cannot be read looks like a connection that breaks. */
  async #explain(error) {
    const isReadable = await this.#file.slice(0, 1).arrayBuffer().then(() => true, () => false);
    return isReadable ? error : misuse("unreadable-file", "The file was changed, moved or deleted");
  }

  /** Takes it back. What fails here the server does by itself, if later. */
  async #drop() {
    const place = this.#place;
    const drop = async () => {
      await takeBack(this.#api.call, place);
      await this.#forget();
    };
    if (place) await drop().catch(() => {});
  }

  async #remember(news) {
    Object.assign(this.#place, news, { at: Date.now() });
    if (this.#name) await this.#api.uploads.set(this.#name, this.#place);
  }

  async #forget() {
    if (this.#name) await this.#api.uploads.remove(this.#name);
  }

  #post(path, body, signal = this.#signal) {
    const call = () => this.#api.call(path, { method: "POST", body, signal });
    return persistently(call, signal);
  }

  async #put(address, part, body, signal) {
    const onSent = (bytes) => this.#progress.note(part, bytes);
    try {
      return await put(this.#api.http, address, { body, signal, onSent });
    } catch (error) {
      throw error?.code === "network/unreachable" ? await this.#explain(error) : error;
    }
  }

  async #whole() {
    this.#place = await this.#post("/v1/files/presigned-url", this.#wanted);
    this.#progress.note(0, 0);
    const { url, contentType } = this.#place;
    const body = this.#file.slice(0, this.#file.size, contentType); // its type is sent as header
    await persistently(() => this.#put(url, 1, body, this.#signal), this.#signal);
    return this.#register();
  }

  async #inParts() {
    const isResumed = await this.#resume();
    try {
      if (!isResumed) await this.#begin();
      return await this.#sendAndRegister();
    } catch (error) {
      if (!isResumed || !isGone(error)) throw error;
      await this.#drop();
      await this.#begin();
      return this.#sendAndRegister();
    }
  }

  /** Takes up what is remembered of this file; other wishes need another upload. */
  async #resume() {
    this.#place = this.#name && resumable(await this.#api.uploads.get(this.#name));
    if (!this.#place) return false;
    if (JSON.stringify(this.#place.wanted) === JSON.stringify(this.#wanted)) return true;
    await this.#drop();
    return false;
  }

  async #begin() {
    const { name = "", size, lastModified } = this.#file;
    // Not given up midway: one has to know what to take back.
    const call = () => this.#api.call("/v1/files/multipart/init", { body: this.#wanted });
    const { uploadId, key, fileId } = await persistently(call, this.#signal);
    const plan = { partSize: partSizeOf(size), parts: {}, isComplete: false };
    this.#place = { uploadId, key, fileId, wanted: this.#wanted, ...plan };
    await this.#remember({ file: { name, size, lastModified } });
    this.#signal.throwIfAborted();
  }

  async #sendAndRegister() {
    if (!this.#place.isComplete) {
      await this.#sendParts();
      await this.#complete();
    }
    const file = await this.#register();
    await this.#forget();
    return file;
  }

  async #sendParts() {
    const { parts, partSize } = this.#place;
    const numbers = Array.from({ length: Math.ceil(this.#file.size / partSize) }, (_, i) => i + 1);
    const missing = numbers.filter((number) => !parts[number]);
    this.#progress.note(0, sentBytes(this.#place));
    const running = following(this.#signal);
    let failure = null;
    const work = async () => {
      while (missing.length > 0) await this.#sendPart(missing.shift(), running.signal);
    };
    const stop = (error) => {
      failure ??= error;
      running.abort(error);
    };
    await Promise.all(Array.from({ length: PARTS_AT_ONCE }, () => work().catch(stop)));
    running.abort();
    this.#signal.throwIfAborted();
    if (failure) throw failure;
  }

  async #sendPart(number, signal) {
    const { key, uploadId, parts, partSize } = this.#place;
    const body = this.#file.slice((number - 1) * partSize, number * partSize);
    const attempt = async () => {
      const wish = { key, uploadId, partNumber: number };
      const path = "/v1/files/multipart/presigned-url";
      const { url } = await this.#api.call(path, { body: wish, signal });
      return this.#put(url, number, body, signal);
    };
    const { status, headers } = await persistently(attempt, signal);
    const etag = headers.get("ETag");
    if (!etag) {
      const message = "The answer to a part shows no ETag: CORS of the bucket must expose it";
      throw new BkendError({ status, code: "client/invalid-response", message });
    }
    parts[number] = etag;
    await this.#remember();
    this.#progress.note(number, body.size);
  }

  async #complete() {
    const { key, uploadId, parts } = this.#place;
    const listed = Object.entries(parts).map(([n, etag]) => ({ partNumber: Number(n), etag }));
    try {
      await this.#post("/v1/files/multipart/complete", { key, uploadId, parts: listed });
    } catch (error) {
      // Done already, if an answer was lost: registering tells whether it was.
      if (error.status !== 404 || this.#options.register === false) throw error;
    }
    await this.#remember({ isComplete: true });
  }

  async #register() {
    this.#progress.end();
    const { register = true, metadata, sharedWith } = this.#options;
    const { key, fileId } = this.#place;
    const { filename, contentType, fileSize, visibility } = this.#wanted;
    const names = { originalName: filename, mimeType: contentType };
    const file = { s3Key: key, ...names, size: fileSize };
    if (!register) return { id: fileId, key, ...file };
    try {
      return await this.#post("/v1/files", { ...file, visibility, metadata, sharedWith });
    } catch (error) {
      if (error.code !== "file/s3-key-already-exists") throw error;
      return this.#api.call(`/v1/files/${fileId}`, { signal: this.#signal }); // an answer was lost
    }
  }
}

async function upload(api, file, options = {}) {
  const link = following(options.signal, options.pause);
  try {
    link.signal.throwIfAborted();
    return await new Upload(api, file, options, link.signal).run();
  } finally {
    link.abort();
  }
}

function filesApi(call, store, { http, uploads, imgUrl, name }) {
  const at = (id) => `/v1/files/${segment(id, "file id")}`;
  const prefix = async () => `${name}:upload:${(await store.read())?.userId ?? ""}:`;
  /** What a file is remembered by; null for a Blob, which has nothing to tell it from others. */
  const nameOf = async ({ name: filename, size, lastModified }) =>
    lastModified === undefined ? null : `${await prefix()}${size}:${lastModified}:${filename}`;
  const api = { call, http, uploads, nameOf };
  return {
    upload: (file, options) => upload(api, file, options),
    interrupted: interruptedApi(api, prefix),
    get: async (id, options) => call(at(id), options),
    list: async (query, options) => call(`/v1/files${queryString(query)}`, options),
    update: async (id, body, options) => call(at(id), { ...options, method: "PATCH", body }),
    delete: async (id, options) => call(at(id), { ...options, method: "DELETE" }),
    async url(file, options) {
      if (file?.visibility === "public" && file.url) return file.url;
      const path = `${at(typeof file === "string" ? file : file?.id)}/download-url`;
      return (await call(path, { ...options, method: "POST" })).url;
    },
    imageUrl: (picture, options) => imageUrl(imgUrl, picture, options),
  };
}

const interruptedApi = ({ call, uploads }, prefix) => ({
  async list() {
    const [start, taken] = [await prefix(), await busyNames()];
    const found = [];
    for (const id of await uploads.names()) {
      if (!id.startsWith(start) || taken.has(id)) continue;
      const kept = resumable(await uploads.get(id));
      if (!kept) await uploads.remove(id);
      else found.push(describe(id, kept));
    }
    return found;
  },
  async drop(id) {
    const kept = resumable(await uploads.get(id));
    if (kept) await takeBack(call, kept);
    await uploads.remove(id);
  },
});

function describe(id, kept) {
  const { name, size, lastModified } = kept.file;
  const { contentType, visibility, category } = kept.wanted;
  const updatedAt = new Date(kept.at).toISOString();
  const told = { contentType, visibility, category, updatedAt };
  return { id, name, size, lastModified, loaded: sentBytes(kept), ...told };
}

const IMAGE_FORMATS = ["webp", "jpeg", "jpg", "png", "gif", "avif"];
const LONGEST_SIDE = 4096;

function imageUrl(base, picture, options = {}) {
  const { width = 0, height = 0, fit = "inside", quality, format, blur } = options;
  const check = (isRight, message) => {
    if (!isRight) throw misuse("invalid-image", message);
  };
  for (const side of [width, height]) {
    const isSide = Number.isInteger(side) && side >= 0 && side <= LONGEST_SIDE;
    check(isSide, `A side has 0 to ${LONGEST_SIDE} points, not ${side}`);
  }
  const size = `${width}x${height}`;
  const sizes = { inside: ["fit-in", size], cover: [size], smart: [size, "smart"] };
  check(Object.hasOwn(sizes, fit), `fit is inside, cover or smart, not ${fit}`);
  const filters = [];
  if (quality !== undefined) filters.push(`quality(${Math.round(quality)})`);
  if (format !== undefined) filters.push(`format(${format})`);
  if (blur !== undefined) filters.push(`blur(${[blur].flat().map(Number)})`);
  check(format === undefined || IMAGE_FORMATS.includes(format), `${format} is no image format`);
  check(!filters.join().includes("NaN"), "quality and blur are numbers");
  const key = String((typeof picture === "string" ? picture : picture?.key) ?? "");
  const parts = key.split("/").map((part) => segment(part, "key"));
  const instructions = width || height ? sizes[fit] : [];
  if (filters.length > 0) instructions.push(`filters:${filters.join(":")}`);
  return [base, ...instructions, ...parts].join("/");
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

/** Where images are transformed: elsewhere only if the server that served this file says so. */
function resolveImgUrl(given, baseUrl) {
  const isServed = SERVED_IMG_URL.startsWith("http") && baseUrl === resolveBaseUrl();
  return (given ?? (isServed ? SERVED_IMG_URL : `${baseUrl}/img`)).replace(/\/+$/, "");
}

/** A client of one project environment. */
export function createClient(options = {}) {
  const { baseUrl: address, key, storage, storageKey, fetch, imgUrl, uploads } = options;
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
  const users = usersApi(call, store, server.fetch);
  const files = filesApi(call, store, {
    http: server.fetch,
    uploads: uploads ?? defaultUploads(),
    imgUrl: resolveImgUrl(imgUrl, baseUrl),
    name,
  });
  return { baseUrl, fetch: call, auth: authApi(call, store, name), users, files, from };
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
