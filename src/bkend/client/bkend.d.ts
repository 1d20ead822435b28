/**
 * Client of a bkend server, for browsers and Node 18 or newer. No dependencies, no build step.
 *
 * ```js
 * import { createClient } from "https://api.example.com/bkend.js";
 *
 * const bkend = createClient({ key: "pk_…" });
 * await bkend.auth.signIn({ email, password });
 * const { items } = await bkend.from("posts").list({ limit: 10 });
 * ```
 *
 * The signed-in user's access token is sent with every call and refreshed when it has expired:
 * once for any number of parallel calls, and once across all tabs of a browser.
 */

// --- Errors ----------------------------------------------------------------------------------

/** One thing that is wrong with a request, as the server points it out. */
export interface ErrorDetail {
  /** Path of the field, `"[3].title"` in a batch. */
  field?: string;
  /** Name of the broken rule, such as `"required"` or `"unique"`. */
  rule?: string;
  message?: string;
}

/**
 * Every failure of a call. `status` is the HTTP status, or 0 where there was no answer:
 *
 * - `network/unreachable`: no connection, or it broke; `cause` holds the original error.
 * - `client/no-base-url`, `client/no-key`, `client/not-configured`: set-up is incomplete.
 * - `client/foreign-origin`: the address belongs to another server, which must not get the key.
 * - `client/invalid-path`: an empty table name or id, or one that URLs resolve (`.`, `..`).
 * - `client/invalid-tokens`: a token pair without two tokens.
 * - `client/not-signed-in`: `auth.refresh()` without a session.
 * - `client/invalid-response` (with the answer's status): a success whose body is not JSON.
 *
 * An aborted call is not a BkendError: it rejects with the signal's reason, as `fetch` does.
 */
export class BkendError extends Error {
  constructor(fields: {
    status: number;
    code: string;
    message: string;
    details?: ErrorDetail[];
    requestId?: string | null;
    retryAfter?: number | null;
    cause?: unknown;
  });
  readonly name: "BkendError";
  readonly status: number;
  /** The server's code, such as `data/validation-error`; `http/<status>` if it gave none. */
  readonly code: string;
  /** Empty unless something can be pointed at. */
  readonly details: ErrorDetail[];
  /** Names this answer in the server's log. */
  readonly requestId: string | null;
  /** Seconds to wait before trying again, from `Retry-After`. */
  readonly retryAfter: number | null;
  readonly cause?: unknown;
}

// --- Tokens and their storage ----------------------------------------------------------------

/** What the server issues at sign-in and refresh. */
export interface TokenPair {
  accessToken: string;
  refreshToken: string;
  tokenType: "Bearer";
  /** Lifetime of the access token in seconds. */
  expiresIn: number;
}

/** What the client keeps of a session. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
  /** Id of the signed-in user, read from the access token; null if it holds none. */
  userId: string | null;
}

type Awaitable<T> = T | Promise<T>;

/** Where a client keeps its tokens. Every method may answer at once or with a promise. */
export interface TokenStorage {
  /** The tokens last set; null or undefined when there are none. */
  get(): Awaitable<Tokens | null | undefined>;
  set(tokens: Tokens): Awaitable<void>;
  remove(): Awaitable<void>;
  /** The same storage under another name; called with the client's storage key. */
  named?(storageKey: string): TokenStorage;
  /** Reports changes made elsewhere, such as in another tab; returns how to stop. */
  subscribe?(
    listener: (tokens: Tokens | null, previous: Tokens | null) => void,
  ): () => void;
  /** True when no other tab can see the tokens: refreshes then need no lock across tabs. */
  private?: boolean;
}

/** Keeps the tokens for as long as the object lives. The default outside browsers. */
export function memoryStorage(): TokenStorage;

/**
 * Keeps the tokens in `localStorage`, so that a reload and other tabs stay signed in; in memory
 * where that is missing or refused. The default in browsers.
 */
export function localStorageStorage(): TokenStorage;

// --- Authentication --------------------------------------------------------------------------

/** A user of the app, as sign-in and `me` show them. */
export interface AuthUser {
  id: string;
  email: string;
  name: string;
  /** `"admin"`, `"user"`, `"guest"` or a role that the project declares. */
  role: "admin" | "user" | "guest" | (string & {});
  nickname: string | null;
  image: string | null;
  /** When the address was verified. */
  emailVerified: string | null;
  onboardingStatus: string;
  mfaEnabled: boolean;
  createdAt: string;
  updatedAt: string;
}

/** Answer of sign-up and sign-in. */
export interface AuthResult extends TokenPair {
  user: AuthUser;
}

/** One place where the user is signed in. */
export interface Session {
  id: string;
  userId: string;
  userAgent: string | null;
  ipAddress: string | null;
  /** Such as `"Chrome on macOS"`. */
  deviceInfo: string;
  lastActivityAt: string;
  createdAt: string;
  expiresAt: string;
  /** Whether this is the session of the caller. */
  current: boolean;
  /** Same as `deviceInfo`. */
  device: string;
  /** Same as `ipAddress`. */
  ip: string | null;
  /** Same as `lastActivityAt`. */
  lastAccessedAt: string;
}

export interface SignUpForm {
  email: string;
  password: string;
  name: string;
}

export interface SignInForm {
  email: string;
  password: string;
  /** Six digits or a backup code; needed after 403 `auth/mfa-required`. */
  mfaCode?: string;
}

/** `refreshed` means new tokens of the same user. */
export type AuthEvent = "signedIn" | "signedOut" | "refreshed";

/** Called with the new tokens, null after `signedOut`. */
export type AuthListener = (event: AuthEvent, tokens: Tokens | null) => void;

export interface Auth {
  /** Creates a user and signs them in. */
  signUp(form: SignUpForm): Promise<AuthResult>;
  /** Signs in with a password. */
  signIn(form: SignInForm): Promise<AuthResult>;
  /**
   * Ends the session on the server and forgets the tokens. When the server cannot be told, the
   * tokens are forgotten all the same and the call rejects.
   */
  signOut(): Promise<void>;
  /** Exchanges the tokens now. Calls do so by themselves when the access token has expired. */
  refresh(): Promise<Tokens>;
  /** The signed-in user. */
  me(options?: CallOptions): Promise<AuthUser>;
  /** The user's live sessions, latest activity first. */
  sessions(
    query?: { page?: number; limit?: number },
    options?: CallOptions,
  ): Promise<Page<Session>>;
  /** The stored tokens, null when signed out. Asks no server. */
  getSession(): Promise<Tokens | null>;
  /**
   * Signs in with tokens obtained otherwise: a social login's redirect, a magic link, a switch
   * of organization.
   */
  setSession(pair: { accessToken: string; refreshToken: string }): Promise<Tokens>;
  /** Hears of sign-in, sign-out and refresh, here and in other tabs. Returns how to stop. */
  onChange(listener: AuthListener): () => void;
}

// --- Records ---------------------------------------------------------------------------------

/** What the server adds to every record. */
export interface BkendRecord {
  id: string;
  /** Id of the user who created it; empty for anonymous and for a bare secret key. */
  createdBy: string;
  createdAt: string;
  updatedAt: string;
}

export interface Pagination {
  total: number;
  page: number;
  limit: number;
  totalPages: number;
  hasNext: boolean;
  hasPrev: boolean;
  /** Same as `hasNext`. */
  hasNextPage: boolean;
  /** Same as `hasPrev`. */
  hasPrevPage: boolean;
}

export interface Page<T> {
  items: T[];
  pagination: Pagination;
}

/** Conditions on one field; all of them must hold. */
export interface Condition {
  $eq?: unknown;
  $ne?: unknown;
  $gt?: unknown;
  $gte?: unknown;
  $lt?: unknown;
  $lte?: unknown;
  $in?: readonly unknown[];
  $nin?: readonly unknown[];
  /** Unanchored, case-sensitive unless `$options` holds `i`. */
  $regex?: string;
  $options?: string;
  $exists?: boolean | 0 | 1;
  /** Literal, case-insensitive. */
  $contains?: string;
}

/** Field paths with the value or the conditions they must meet. */
export type Filter = { [path: string]: Condition | unknown };

export interface ListQuery {
  /** From 1. */
  page?: number;
  /** 1 to 100; the server takes more for 100. Default 20. */
  limit?: number;
  /** Default: order of creation. */
  sortBy?: string;
  /** Default `desc`. */
  sortDirection?: "asc" | "desc";
  /** All must hold. */
  andFilters?: Filter | readonly Filter[];
  /** An object: any pair may hold. An array: any element may hold, with all of its pairs. */
  orFilters?: Filter | readonly Filter[];
  /** Text that some field must contain, in any case. */
  search?: string;
  /** The fields to search; default: all text fields. */
  searchType?: string | readonly string[];
  /** The fields to return besides id, createdBy, createdAt and updatedAt. */
  select?: string | readonly string[];
}

/** The own fields of a record, without those that the server sets. */
export type Fields<T> = Omit<T, keyof BkendRecord>;

export interface Table<T extends object = Record<string, any>> {
  /** Creates a record; an array creates all or none of its records. */
  create(record: Partial<Fields<T>>, options?: CallOptions): Promise<T & BkendRecord>;
  create(
    records: readonly Partial<Fields<T>>[],
    options?: CallOptions,
  ): Promise<(T & BkendRecord)[]>;
  /** One record; 404 `data/not-found` if there is none. */
  get(
    id: string,
    options?: CallOptions & { select?: string | readonly string[] },
  ): Promise<T & BkendRecord>;
  list(query?: ListQuery, options?: CallOptions): Promise<Page<T & BkendRecord>>;
  /** Replaces the listed fields and keeps the others. */
  update(
    id: string,
    patch: { [K in keyof Fields<T>]?: Fields<T>[K] | null },
    options?: CallOptions,
  ): Promise<T & BkendRecord>;
  delete(id: string, options?: CallOptions): Promise<{ success: true }>;
}

// --- Calls -----------------------------------------------------------------------------------

/** Whatever `fetch` takes, besides what the client itself decides. */
export interface CallOptions extends Omit<RequestInit, "body" | "method"> {
  /** Gives up the call; a refresh that other calls wait for goes on. */
  signal?: AbortSignal | null;
  /** False: send the key but no access token, and do not refresh. */
  auth?: boolean;
}

export interface FetchOptions extends CallOptions {
  /** Default: POST with a body, else GET. */
  method?: string;
  /**
   * Objects and arrays are sent as JSON, strings as they are and as JSON. What `fetch` encodes
   * itself (FormData, Blob, ArrayBuffer, URLSearchParams, streams) is passed to it.
   */
  body?: unknown;
  /** True: return the Response of a successful call as it is. Errors still throw. */
  raw?: boolean;
}

export interface BkendFetch {
  (path: string, options: FetchOptions & { raw: true }): Promise<Response>;
  <T = any>(path: string, options?: FetchOptions): Promise<T>;
}

export interface Client {
  /** Address of the server, without a slash at the end. */
  readonly baseUrl: string;
  /**
   * Calls any path of the API as the signed-in user, `/v1/data/posts` for example. Returns the
   * parsed body, without the `{success, data}` envelope where a project has one; null for an
   * empty body. Throws {@link BkendError}. Redirects are errors unless `redirect` says otherwise.
   */
  fetch: BkendFetch;
  auth: Auth;
  /** A table of the environment that the key belongs to. */
  from<T extends object = Record<string, any>>(table: string): Table<T>;
}

export interface ClientOptions {
  /** Publishable key (`pk_…`); a secret key (`sk_…`) only where nobody can read it. */
  key: string;
  /** Address of the server. Default: the server that this module was loaded from. */
  baseUrl?: string;
  /** Default: `localStorageStorage()` in browsers, `memoryStorage()` elsewhere. */
  storage?: TokenStorage;
  /** Name of the tokens in the storage. Default: made from `baseUrl` and `key`. */
  storageKey?: string;
  /** Used instead of the global `fetch`. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** A client of one project environment. */
export function createClient(options: ClientOptions): Client;

/** Sets up the client that {@link bkendFetch} uses, and returns it. */
export function configure(options: ClientOptions): Client;

/** {@link Client.fetch} of the client that {@link configure} made. */
export function bkendFetch(
  path: string,
  options: FetchOptions & { raw: true },
): Promise<Response>;
export function bkendFetch<T = any>(path: string, options?: FetchOptions): Promise<T>;
