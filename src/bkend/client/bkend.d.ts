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
 * - `client/invalid-file`: `files.upload` of something that is neither a File nor a Blob.
 * - `client/unreadable-file`: the file was changed, moved or deleted since it was chosen.
 * - `client/invalid-image`: a size, fit, format, quality or blur that no image address has.
 * - `client/invalid-tokens`: a token pair without two tokens.
 * - `client/not-signed-in`: `auth.refresh()`, or a call about oneself, without a session.
 * - `client/unexpected-sign-in`: the page was opened with tokens of a sign-in through a provider
 *   that this tab did not begin. They are dropped: a link could sign visitors in as its maker.
 * - a code of the server, when a provider's redirect brought it back instead of tokens.
 * - `client/invalid-response` (with the answer's status): a success whose body is not JSON, or a
 *   part of an upload whose answer shows no `ETag`.
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

/** Answer of a magic link and of a code or ID token of a provider. */
export interface SocialResult extends AuthResult {
  /** Whether this sign-in made the user. */
  is_new_user: boolean;
}

/** What a sign-in through a provider brought back in the address. */
export interface ReturnedSignIn extends TokenPair {
  /** Whether this sign-in made the user. */
  isNewUser: boolean;
}

/** What a mail was sent to; the same for addresses that no user has. */
export interface Sent {
  message: string;
  email: string;
}

export interface Message {
  message: string;
}

/** What a provider gave to the app itself: a code with its redirect address, or an ID token. */
export interface ProviderGrant {
  code?: string;
  redirectUri?: string;
  idToken?: string;
  state?: string;
}

/** `refreshed` means new tokens of the same user; `signedOut` also that a refresh was refused. */
export type AuthEvent = "signedIn" | "signedOut" | "refreshed";

/** Called with the new tokens, null after `signedOut`. */
export type AuthListener = (event: AuthEvent, tokens: Tokens | null) => void;

export interface SignInWithLink {
  /**
   * Mails a link that signs in. It leads to `callbackUrl` (default: this page) with `token`
   * added. Addresses that no user has are answered alike and get a mail only with `signUp`,
   * whose link then makes the user; `name` is theirs.
   */
  request(form: {
    email: string;
    callbackUrl?: string;
    signUp?: boolean;
    name?: string;
  }): Promise<Sent>;
  /**
   * Signs in with the token of such a link, by default the one in the page's address, which is
   * taken out of it. Null when there is none. After 403 `auth/mfa-required`, call it again with
   * `mfaCode`: the token is remembered.
   */
  complete(form?: { token?: string; mfaCode?: string }): Promise<SocialResult | null>;
}

export interface SignInWithProvider {
  /**
   * Sends the browser to `google`, `github` or an OpenID Connect provider of the project. It
   * comes back to `redirect` (default: this page), where `complete` ends the sign-in. With
   * `navigate: false`, the default outside browsers, the provider's address is only returned,
   * and the tokens that come back are for `auth.setSession`.
   */
  begin(provider: string, options?: { redirect?: string; navigate?: boolean }): Promise<string>;
  /**
   * Signs in with the tokens in the page's address, and takes them out of it. Null when the page
   * was not returned to. Rejects with the server's code when the sign-in failed, and with
   * `client/unexpected-sign-in` when this tab did not begin it.
   */
  complete(): Promise<ReturnedSignIn | null>;
  /** Signs in with what the app got from the provider itself. */
  exchange(provider: string, grant: ProviderGrant): Promise<SocialResult>;
}

export interface ResetPassword {
  /** Mails a link with `token` and `email` to `callbackUrl`; default: a page of the server. */
  request(form: { email: string; callbackUrl?: string }): Promise<Message>;
  /** Sets the new password. Ends every session of the user and opens none. */
  confirm(form: { email: string; token: string; newPassword: string }): Promise<Message>;
}

export interface VerifyEmail {
  /**
   * Mails a link with `token` and `email` to `callbackUrl`; default: a page of the server. When
   * signed in, `email` is one's own by default; another one becomes one's own once confirmed.
   */
  send(form?: { email?: string; callbackUrl?: string }): Promise<Sent>;
  confirm(form: { email: string; token: string }): Promise<Message & { verified: true }>;
}

export interface Sessions {
  /** The user's live sessions, latest activity first. */
  list(query?: { page?: number; limit?: number }, options?: CallOptions): Promise<Page<Session>>;
  /** Ends a session; one's own is signing out. */
  end(id: string): Promise<Message>;
}

/** What an authenticator app and its owner need. */
export interface MfaSetup {
  /** Base32, for typing in by hand. */
  secret: string;
  /** `otpauth://…`, what the QR code says. */
  qrCodeUrl: string;
  /** The QR code as an `<svg>` element. */
  qrCodeSvg: string;
  /** Ten codes, each good for one sign-in without the app. */
  backupCodes: string[];
}

export interface Mfa {
  /** Begins the set-up; nothing changes before `confirm`. */
  enable(form: { password: string }): Promise<MfaSetup>;
  /** Switches the second factor on, with six digits of the app. */
  confirm(form: { code: string }): Promise<{ backupCodes: string[] }>;
  /** Switches it off; `code` is six digits or a backup code. */
  disable(form: { password: string; code?: string }): Promise<{}>;
}

/** One way in which the user signs in. */
export interface Account {
  id: string;
  userId: string;
  type: "credentials" | "oauth";
  /** `"email"`, or the provider's name. */
  provider: string;
  /** The user's id at the provider; the address for `email`. */
  providerAccountId: string;
  email: string | null;
  connectedAt: string;
  /** Same as `connectedAt`. */
  linkedAt: string;
}

export interface Accounts {
  list(query?: { page?: number; limit?: number }, options?: CallOptions): Promise<Page<Account>>;
  /** Lets the user sign in with a provider's account from now on. */
  link(grant: ProviderGrant & { provider: string }): Promise<Account>;
  /** 400 `auth/last-auth-method` when no other way to sign in is left. */
  unlink(provider: string): Promise<Message>;
  /** Whether somebody signs in so. */
  check(question: {
    type: "credentials" | "oauth";
    provider: string;
    providerAccountId: string;
  }): Promise<{ exists: boolean; type?: string; provider?: string }>;
}

export interface Auth {
  /** Creates a user and signs them in. */
  signUp(form: SignUpForm): Promise<AuthResult>;
  /**
   * Signs in with a password. Rejects with 403 `auth/mfa-required` when the user has a second
   * factor: make the same call again with `mfaCode`.
   */
  signIn(form: SignInForm): Promise<AuthResult>;
  /** Signs in with a link in a mail, without a password. */
  signInWithLink: SignInWithLink;
  /** Signs in with an account that the user has elsewhere. */
  signInWithProvider: SignInWithProvider;
  /** Replaces a forgotten password. */
  resetPassword: ResetPassword;
  /** Proves that an address is the user's. */
  verifyEmail: VerifyEmail;
  /** Ends every session of the user, this one too: sign in again afterwards. */
  changePassword(form: { currentPassword: string; newPassword: string }): Promise<Message>;
  /** The signed-in user. */
  me(options?: CallOptions): Promise<AuthUser>;
  /** The places where the user is signed in. */
  sessions: Sessions;
  /** The second factor: one-time passwords of an authenticator app. */
  mfa: Mfa;
  /** The ways in which the user signs in. */
  accounts: Accounts;
  /** Deletes the signed-in user for good, and signs out. */
  withdraw(): Promise<Message>;
  /**
   * Ends the session on the server and forgets the tokens. When the server cannot be told, the
   * tokens are forgotten all the same and the call rejects.
   */
  signOut(): Promise<void>;
  /** Exchanges the tokens now. Calls do so by themselves when the access token has expired. */
  refresh(): Promise<Tokens>;
  /** The stored tokens, null when signed out. Asks no server. */
  getSession(): Promise<Tokens | null>;
  /** Signs in with tokens obtained otherwise. */
  setSession(pair: { accessToken: string; refreshToken: string }): Promise<Tokens>;
  /** Hears of sign-in, sign-out and refresh, here and in other tabs. Returns how to stop. */
  onChange(listener: AuthListener): () => void;
}

/**
 * Takes query parameters out of the page's address, with `history.replaceState`, and returns
 * those that were there; null when none was. For the `token` and `email` of mailed links.
 */
export function takeFromAddress<N extends string>(...names: N[]): { [K in N]?: string } | null;

// --- Users -----------------------------------------------------------------------------------

export type SocialLinks = Partial<Record<"github" | "twitter" | "linkedin", string>>;

/** What other users see. The last three only of users who are public. */
export interface PublicUser {
  id: string;
  name: string;
  nickname: string | null;
  image: string | null;
  createdAt: string;
  bio?: string | null;
  socialLinks?: SocialLinks | null;
  slug?: string | null;
}

/** What users see of themselves, and admins of everybody. */
export interface User extends AuthUser {
  mobile: string | null;
  gender: "none" | "male" | "female" | "etc" | null;
  bio: string | null;
  socialLinks: SocialLinks | null;
  slug: string | null;
  isPublic: boolean;
  status: "active" | "banned";
  /** With `includeAccounts`, for admins. */
  accounts?: Account[];
}

export interface Profile {
  id: string;
  name: string;
  nickname: string | null;
  email: string;
  mobile: string | null;
  gender: "none" | "male" | "female" | "etc" | null;
  bio: string | null;
  socialLinks: SocialLinks | null;
  role: string;
  image: string | null;
  emailVerified: string | null;
  onboardingStatus: string;
  createdAt: string;
  updatedAt: string;
}

/** Null clears a field, and inside `socialLinks` one of its addresses. */
export interface ProfileUpdate {
  name?: string;
  nickname?: string | null;
  mobile?: string | null;
  gender?: "none" | "male" | "female" | "etc" | null;
  bio?: string | null;
  socialLinks?: { [K in "github" | "twitter" | "linkedin"]?: string | null } | null;
  image?: string | null;
}

export interface Preferences {
  locale: string | null;
  timezone: string | null;
  theme: "light" | "dark" | "system" | null;
}

export interface Notifications {
  service: boolean;
  marketing: boolean;
  push: boolean;
  email: boolean;
  sms: boolean;
  nightTime: boolean;
  securityAlerts: boolean;
}

export type OnboardingStatus = "pending" | "in_progress" | "completed" | "skipped";

export interface Onboarding {
  status: OnboardingStatus;
  /** Same as `status`. */
  onboardingStatus: OnboardingStatus;
  completedSteps: string[];
  completedAt: string | null;
  updatedAt: string;
}

export interface PublicSettings {
  slug: string | null;
  isPublic: boolean;
}

/** Whom a call is about: the signed-in user unless `userId` is given, which admins may do. */
export interface UserOptions extends CallOptions {
  userId?: string;
}

/** One part of what the server keeps about a user. */
export interface UserPart<T, U = Partial<T>> {
  get(options?: UserOptions): Promise<T>;
  /** Changes the given fields and keeps the others. */
  update(fields: U, options?: UserOptions): Promise<T>;
}

export interface Avatar {
  /** JPEG, PNG, GIF or WebP of at most 5 MiB. `onProgress` hears how many bytes have left. */
  upload(
    picture: Blob,
    options?: Pick<UserOptions, "userId" | "signal"> & {
      /** Default: that of a File. */
      filename?: string;
      onProgress?: (progress: { loaded: number; total: number }) => void;
    },
  ): Promise<User>;
  remove(options?: UserOptions): Promise<Message>;
}

export interface UserQuery {
  page?: number;
  limit?: number;
  search?: string;
  searchType?: "name" | "nickname" | "email";
  sortBy?: "createdAt" | "updatedAt" | "name" | "email" | "role";
  sortDirection?: "asc" | "desc";
  includeAccounts?: boolean;
}

export interface Users {
  list(query?: UserQuery, options?: CallOptions): Promise<Page<User | PublicUser>>;
  get(id: string, options?: CallOptions): Promise<User | PublicUser>;
  /** For admins. The user has no password yet. */
  create(
    user: { name: string; email: string; role?: string },
    options?: CallOptions,
  ): Promise<User>;
  /** `status` is for admins; `banned` ends all sessions of the user. */
  update(
    id: string,
    fields: { name?: string; status?: "active" | "banned" },
    options?: CallOptions,
  ): Promise<User>;
  /** For admins. */
  setRole(id: string, role: string): Promise<User>;
  /** Oneself, or for admins anybody; see `auth.withdraw`. */
  delete(id: string): Promise<Message>;
  profile: UserPart<Profile, ProfileUpdate>;
  preferences: UserPart<Preferences>;
  notifications: UserPart<Notifications>;
  onboarding: UserPart<Onboarding, { status?: OnboardingStatus; completedSteps?: string[] }>;
  publicSettings: UserPart<PublicSettings>;
  avatar: Avatar;
}

// --- Files -----------------------------------------------------------------------------------

/** Who sees a file besides its owner and admins: nobody, those in `sharedWith`, users, anybody. */
export type Visibility = "private" | "shared" | "protected" | "public";

export type FileCategory =
  | "images" | "documents" | "media" | "attachments" | "exports" | "backups" | "temp";

export type FileBucket = "avatars" | "documents" | "media" | "files" | "images" | "temp";

export interface FileMetadata {
  category?: string;
  description?: string;
  alt?: string;
  relatedEntityId?: string;
  tags?: string[];
  custom?: Record<string, unknown>;
  [name: string]: unknown;
}

/** What everybody sees who sees the file at all. */
export interface PublicFile {
  id: string;
  /** What `imageUrl` takes, and what to store in records. */
  key: string;
  /** Same as `key`. */
  s3Key: string;
  originalName: string;
  mimeType: string;
  /** In bytes. */
  size: number;
  /** Of pictures, in points. */
  width?: number;
  height?: number;
  visibility: Visibility;
  /** Where the bytes are, for good, while the file is public; else null. */
  url: string | null;
  createdAt: string;
  updatedAt: string;
}

/** What its owner and admins see. */
export interface StoredFile extends PublicFile {
  ownerId: string;
  ownerType: "user" | "service" | "session" | "public";
  bucket: FileBucket;
  category: FileCategory | null;
  sharedWith: string[];
  metadata: FileMetadata;
}

/** What was uploaded with `register: false`. */
export interface UploadedFile {
  /** The id that the file has once it is registered, with `POST /v1/files/{id}/complete`. */
  id: string;
  key: string;
  s3Key: string;
  originalName: string;
  mimeType: string;
  size: number;
}

export interface UploadProgress {
  /** Bytes that have left; never less than before. All of them only once the server has them. */
  loaded: number;
  total: number;
  /** 0 to 100, a whole number. */
  percent: number;
}

export interface UploadOptions {
  /**
   * Hears how much has left. In browsers often; elsewhere after every part. A resumed upload
   * begins with what the server has already.
   */
  onProgress?: (progress: UploadProgress) => void;
  /** Default: the project's. */
  visibility?: Visibility;
  category?: FileCategory;
  metadata?: FileMetadata;
  /** Ids of users, for `visibility: "shared"`. */
  sharedWith?: string[];
  /** Default: that of a File, else `"file"`. */
  filename?: string;
  /** Default: that of the file, else `application/octet-stream`. */
  contentType?: string;
  /** Gives the upload up, and takes back what the server has of it. */
  signal?: AbortSignal | null;
  /** Stops the upload: what the server has is kept, and `upload` of the same file goes on. */
  pause?: AbortSignal | null;
  /** False: upload only. The file is then neither listed nor read by its id. */
  register?: boolean;
}

/** An upload in parts that was interrupted, and goes on when `upload` gets the same file again. */
export interface InterruptedUpload {
  /** What `drop` takes. */
  id: string;
  /** Name, size and time of the file: those that the same File has. */
  name: string;
  size: number;
  lastModified: number;
  /** Bytes that the server has. */
  loaded: number;
  /** What `upload` was called with; called with others it begins anew. */
  contentType: string;
  visibility?: Visibility;
  category?: FileCategory;
  updatedAt: string;
}

export interface InterruptedUploads {
  /** Those of the signed-in user in this browser, of the last seven days, if at rest. */
  list(): Promise<InterruptedUpload[]>;
  /** Takes back what the server has of it, and forgets it. */
  drop(id: string): Promise<void>;
}

/** What is remembered of an upload in parts: as plain JSON, and of use to the client only. */
export type RememberedUpload = Record<string, unknown>;

/** Where a client remembers uploads. Every method may answer at once or with a promise. */
export interface UploadMemory {
  get(name: string): Awaitable<RememberedUpload | null | undefined>;
  /** Replaces; called after every part. */
  set(name: string, upload: RememberedUpload): Awaitable<void>;
  remove(name: string): Awaitable<void>;
  /** All names; those that the client did not give are passed over. */
  names(): Awaitable<string[]>;
}

export interface FileQuery {
  page?: number;
  limit?: number;
  sortBy?: "createdAt" | "updatedAt" | "originalName" | "size" | "mimeType";
  sortDirection?: "asc" | "desc";
  visibility?: Visibility;
  ownerType?: "user" | "service" | "session" | "public";
  ownerId?: string;
  bucket?: FileBucket;
  category?: FileCategory;
  /** Exact, or `image/*`. */
  mimeType?: string | readonly string[];
  /** Part of the name, in any case. */
  search?: string;
}

export interface FileUpdate {
  originalName?: string;
  visibility?: Visibility;
  /** Merged key by key; null removes a key. */
  metadata?: { [K in keyof FileMetadata]?: FileMetadata[K] | null };
  /** Replaces the whole list. */
  sharedWith?: string[];
}

export interface ImageOptions {
  /** In points, 0 to 4096; 0 or nothing follows from the other side. */
  width?: number;
  height?: number;
  /**
   * `inside` (default): the whole picture inside these sides, never enlarged. `cover`: exactly
   * these sides, cropped around the middle. `smart`: cropped around what has most detail.
   */
  fit?: "inside" | "cover" | "smart";
  /** 1 to 100, of JPEG, WebP and AVIF; the server's default is 80. */
  quality?: number;
  /** Default: WebP where the browser takes it, else the picture's own. */
  format?: "webp" | "jpeg" | "jpg" | "png" | "gif" | "avif";
  /** Radius 0 to 150; or radius and sigma. */
  blur?: number | readonly [number, number];
}

export interface Files {
  /**
   * Uploads a file and registers it: up to 10 MiB as a whole, larger ones in parts, some at the
   * same time. What fails by the way (connection, 408, 429, 5xx) is tried again a few times.
   * The bytes go to a signed address, which gets neither key nor token.
   *
   * An upload of a File in parts is remembered, so that after an interruption, a reload even,
   * `upload` of the same file with the same options sends only what the server has not got.
   */
  upload(file: Blob, options: UploadOptions & { register: false }): Promise<UploadedFile>;
  upload(file: Blob, options?: UploadOptions): Promise<StoredFile>;
  /** Uploads that were interrupted and can be gone on with. */
  interrupted: InterruptedUploads;
  get(id: string, options?: CallOptions): Promise<StoredFile | PublicFile>;
  /** What the caller may see. */
  list(query?: FileQuery, options?: CallOptions): Promise<Page<StoredFile | PublicFile>>;
  /** For its owner and admins. */
  update(id: string, fields: FileUpdate, options?: CallOptions): Promise<StoredFile>;
  /** For its owner and admins; the bytes go as well. */
  delete(id: string, options?: CallOptions): Promise<{ success: true }>;
  /**
   * Where to download a file: the permanent address of a public one, without a call if its
   * object is given; else one that is good for an hour, for whoever has it.
   */
  url(file: string | PublicFile, options?: CallOptions): Promise<string>;
  /** The address of a picture in another size or format; of public ones only. Asks no server. */
  imageUrl(picture: string | { key: string }, options?: ImageOptions): string;
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
  users: Users;
  files: Files;
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
  /** Where images are transformed. Default: as the server says, else `/img` below `baseUrl`. */
  imgUrl?: string;
  /**
   * Where uploads are remembered. Default: `localStorage` in browsers, elsewhere in memory for as
   * long as the client lives. Names hold user ids and file names.
   */
  uploads?: UploadMemory;
  /** Used instead of the global `fetch`; browsers upload files with XMLHttpRequest. */
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
