// Everything for those who are not signed in.
import { client, here } from "./client.js";
import { PROVIDERS } from "./config.js";
import { $, complain, element, onClick, onSubmit, say, show } from "./ui.js";

let continueWith = null; // what the code of the second factor is for
let resetLink = null;

export function showEntrance() {
  for (const form of document.forms) form.reset();
  show("sign-in");
}

/** Asks for the second factor, and runs `sign` with the code. */
export function askForCode(sign) {
  continueWith = sign;
  $("code").reset();
  show("code");
}

/** Opens the form for a new password, which `link` from a mail permits. */
export function startReset(link) {
  if (!link?.token || !link.email) {
    complain("This link is incomplete. Copy all of it, or ask for a new one.");
    show("forgot");
    return;
  }
  resetLink = link;
  $("reset").elements.email.value = link.email;
  show("reset");
}

onSubmit("sign-up", (form) => client.auth.signUp(form));

onSubmit("sign-in", async (form) => {
  const sign = (mfaCode) => client.auth.signIn({ ...form, mfaCode });
  await sign().catch((error) => {
    if (error.code !== "auth/mfa-required") throw error;
    askForCode(sign);
  });
});

onSubmit("code", ({ mfaCode }) => continueWith(mfaCode.replace(/\s/g, "").toLowerCase()));

onSubmit("link", async ({ email }) => {
  await client.auth.signInWithLink.request({ email, callbackUrl: here("link") });
  showSent(email);
});

onSubmit("forgot", async ({ email }) => {
  await client.auth.resetPassword.request({ email, callbackUrl: here("reset") });
  showSent(email);
});

onSubmit("reset", async ({ newPassword }) => {
  await client.auth.resetPassword.confirm({ ...resetLink, newPassword });
  showEntrance();
  $("sign-in").elements.email.value = resetLink.email;
  say("Your password is changed. Sign in with the new one.");
});

function showSent(email) {
  $("sent-to").textContent = email;
  show("sent");
}

for (const [provider, name] of Object.entries(PROVIDERS)) {
  const mark = element("span", name[0]);
  mark.className = "mark";
  mark.ariaHidden = "true";
  const button = element("button", "", mark, `Continue with ${name}`);
  button.type = "button";
  button.className = "quiet";
  $("providers").append(button);
  const redirect = here("provider");
  onClick(button, () => client.auth.signInWithProvider.begin(provider, { redirect }));
}

/** Takes an address along that was typed already. */
function carryAddress(view) {
  const typed = document.querySelector("[data-view]:not([hidden]) input[name=email]")?.value;
  const field = $(view)?.elements.email;
  if (typed && field) field.value = typed;
}

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => {
    say("");
    carryAddress(button.dataset.show);
    show(button.dataset.show);
  });
}

for (const button of document.querySelectorAll(".reveal")) {
  button.addEventListener("click", () => {
    const field = button.parentElement.querySelector("input");
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    button.textContent = shown ? "Hide" : "Show";
    button.ariaPressed = String(shown);
  });
}
