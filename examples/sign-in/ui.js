// What every part of the page needs: one view at a time, notes, and forms that say what is wrong.
import { BkendError } from "./client.js";

export const $ = (id) => document.getElementById(id);

/** Shows one view and moves the focus to its heading, for those who hear the page. */
export function show(view) {
  show.current = view;
  for (const part of document.querySelectorAll("[data-view]")) {
    part.hidden = part.dataset.view !== view;
    if (!part.hidden) part.querySelector("h1").focus();
  }
}

function note(id, text) {
  $(id).textContent = text;
  $(id).hidden = !text;
}

/** Tells of something that went well. */
export function say(text) {
  note("alert", "");
  note("status", text);
}

/** Tells of something that went wrong. */
export function complain(text) {
  note("status", "");
  note("alert", text);
}

/** In words for the person at the screen; the server's own are for developers. */
const MESSAGES = {
  "auth/invalid-credentials": "E-mail address or password is wrong.",
  "auth/invalid-password": "The present password is wrong.",
  "auth/invalid-email": "That is not an e-mail address.",
  "auth/invalid-mfa-code": "That code is wrong or was used already. Try the next one.",
  "auth/mfa-backup-codes-exhausted": "All your backup codes are used. Enter the app's six digits.",
  "auth/mfa-setup-expired": "That took too long. Please set it up again.",
  "auth/email-already-exists": "An account with this address already exists. Sign in instead.",
  "auth/account-exists-different-provider":
    "An account with this address already exists. Sign in as you did before.",
  "auth/verification-token-not-found": "This link was used already, or a newer one was sent.",
  "auth/verification-token-expired": "This link is too old. Ask for a new one.",
  "auth/account-banned": "This account is locked.",
  "auth/email-not-verified": "Please open the link in the mail we sent you first.",
  "auth/signup-disabled": "New accounts cannot be made at the moment.",
  "auth/last-auth-method": "This is your only way to sign in.",
  "auth/session-expired": "You were signed out. Please sign in again.",
  "auth/invalid-refresh-token": "You were signed out. Please sign in again.",
  "auth/token-expired": "This link is too old. Ask for a new one.",
  "auth/invalid-token": "This link was used already, or a newer one was sent.",
  "auth/weak-password": "This password is known to everybody. Choose another one.",
  "auth/same-as-previous-password": "That is your present password. Choose another one.",
  "client/unexpected-sign-in": "That sign-in was not begun here. Please try again.",
  "network/unreachable": "The server cannot be reached. Are you online?",
};

function inWords({ code, message, retryAfter }) {
  if (retryAfter !== null) return `Too many attempts. Try again in ${minutes(retryAfter)}.`;
  return MESSAGES[code] ?? message;
}

function minutes(seconds) {
  return seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}

function forgetProblems(form) {
  for (const problem of form.querySelectorAll(".problem")) problem.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    describe(field, ids(field).filter((id) => $(id)));
  }
}

const ids = (field) => (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);

const describe = (field, by) => field.setAttribute("aria-describedby", by.join(" "));

/** Puts the text below the field, outside its label: that is what the field is called. */
function pointAt(form, field, text) {
  const problem = element("small", text);
  problem.className = "problem";
  problem.id = `${form.id}-${field.name}-problem`;
  field.closest(".field, label").after(problem);
  field.setAttribute("aria-invalid", "true");
  describe(field, [...ids(field), problem.id]);
}

/** Points at the fields that the server points at; what it cannot point at is a note. */
function showError(form, error) {
  const named = error.details.filter(({ field }) => form?.elements.namedItem(field));
  for (const { field, message } of named) pointAt(form, form.elements[field], message);
  if (named.length > 0) form.querySelector("[aria-invalid]").focus();
  else complain(inWords(error));
}

/**
 * Runs a call, and shows what went wrong if anything did. `cases` are for codes that mean
 * something else than failure. Returns what the call returned, undefined if it failed.
 */
export async function attempt(form, call, cases = {}) {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof BkendError)) throw error;
    const deal = cases[error.code] ?? ((failed) => showError(form, failed));
    await deal(error);
  }
}

/** Runs `call` with the fields of the form when it is sent; once at a time. */
export function onSubmit(id, call, cases) {
  const form = $(id);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button:not([type])");
    if (button.getAttribute("aria-busy") === "true") return;
    say("");
    forgetProblems(form);
    const missing = [...form.elements].find((field) => !field.validity.valid);
    if (missing) {
      pointAt(form, missing, missing.validationMessage);
      missing.focus();
      return;
    }
    button.setAttribute("aria-busy", "true");
    const fields = Object.fromEntries(new FormData(form));
    await attempt(form, () => call(fields, form), cases);
    button.removeAttribute("aria-busy");
  });
}

/** Runs `call` when `target` is clicked. */
export function onClick(target, call) {
  target.addEventListener("click", () => {
    say("");
    attempt(null, call);
  });
}

/** An element with its text, and elements inside. */
export function element(tag, text = "", ...children) {
  const made = document.createElement(tag);
  made.append(text, ...children);
  return made;
}
