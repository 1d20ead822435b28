// What every part of the page needs: one view at a time, notes, sizes, errors in words.
import { BkendError } from "./client.js";

export const $ = (id) => document.getElementById(id);

/** Shows one view and moves the focus to its heading, for those who hear the page. */
export function show(view) {
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
  "auth/email-already-exists": "An account with this address already exists. Sign in instead.",
  "auth/weak-password": "This password is known to everybody. Choose another one.",
  "auth/signup-disabled": "New accounts cannot be made at the moment.",
  "auth/mfa-required": "This account has a second factor. Sign in on the sign-in page first.",
  "auth/session-expired": "You were signed out. Please sign in again.",
  "auth/invalid-refresh-token": "You were signed out. Please sign in again.",
  "auth/invalid-token": "You were signed out. Please sign in again.",
  "auth/token-expired": "You were signed out. Please sign in again.",
  "auth/session-not-found": "You were signed out. Please sign in again.",
  "common/authentication-required": "You were signed out. Please sign in again.",
  "file/file-too-large": "This file is too large for this server.",
  "file/file-too-small": "This file is empty.",
  "file/invalid-name": "This file has a name that cannot be used. Rename it first.",
  "file/original-name-too-long": "The name of this file is too long. Rename it first.",
  "file/invalid-format": "Files of this kind are not taken.",
  "file/access-denied": "This file is not yours to change.",
  "file/not-found": "This file is no longer there.",
  "data/scope-insufficient": "This page's key does not allow that.",
  "client/unreadable-file": "This file was changed or moved. Choose it again.",
  "network/unreachable": "The server cannot be reached. Are you online?",
};

export function inWords({ code, message, retryAfter }) {
  if (retryAfter !== null) return `Too many attempts. Try again in ${minutes(retryAfter)}.`;
  return MESSAGES[code] ?? message;
}

function minutes(seconds) {
  return seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}

/** Runs a call, and shows what went wrong if anything did. Undefined if it failed. */
export async function attempt(call, fail = complain) {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof BkendError)) throw error;
    fail(inWords(error));
  }
}

/** Runs `call` when `target` is clicked. */
export function onClick(target, call) {
  target.addEventListener("click", () => {
    say("");
    attempt(call);
  });
}

/** An element with its text, and elements inside. */
export function element(tag, text = "", ...children) {
  const made = document.createElement(tag);
  made.append(text, ...children);
  return made;
}

/** A copy of what a template holds. */
export const copyOf = (id) => $(id).content.firstElementChild.cloneNode(true);

/** Asks with a dialog; whether the answer was yes. */
export function confirmed(id) {
  const dialog = $(id);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    const close = () => answer(dialog.returnValue === "yes");
    dialog.addEventListener("close", close, { once: true });
  });
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"];

/** A number of bytes as people write it, such as 12.3 MB. */
export function sizeOf(bytes) {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const unit = { unit: UNITS[step], unitDisplay: step > 0 ? "short" : "long" };
  const style = { style: "unit", ...unit, maximumFractionDigits: step > 1 ? 1 : 0 };
  return new Intl.NumberFormat("en", style).format(bytes / 1000 ** step);
}

/** Stands for a file that shows no picture. */
export function tile(name) {
  const ending = /\.([A-Za-z0-9]{1,4})$/.exec(name)?.[1] ?? "file";
  return Object.assign(element("span", ending.toUpperCase()), { className: "tile" });
}
