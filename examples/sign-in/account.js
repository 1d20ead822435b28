// Everything for those who are signed in: who they are, and how they get in.
import { client, here } from "./client.js";
import { PROVIDERS } from "./config.js";
import { $, attempt, element, onClick, onSubmit, say, show } from "./ui.js";

/** Reads the account from the server and shows it. */
export async function showAccount() {
  for (const form of document.forms) form.reset();
  const [user, profile] = await Promise.all([client.auth.me(), client.users.profile.get()]);
  showUser(user);
  for (const name of ["name", "nickname", "bio"]) {
    $("profile").elements[name].value = profile[name] ?? "";
  }
  await Promise.all([showSessions(), showAccounts()]);
  show("account");
}

function showUser({ name, email, emailVerified, image, mfaEnabled }) {
  $("hello").textContent = name;
  $("email").textContent = email;
  $("verified").textContent = emailVerified ? "verified" : "not verified";
  $("verified").classList.toggle("off", !emailVerified);
  $("verify").hidden = Boolean(emailVerified);
  $("no-picture").hidden = !image;
  $("avatar").replaceChildren(image ? picture(image) : [...name][0].toUpperCase());
  $("mfa-state").textContent = mfaEnabled ? "on" : "off";
  $("mfa-state").classList.toggle("off", !mfaEnabled);
  $("mfa-enable").hidden = mfaEnabled;
  $("mfa-disable").hidden = !mfaEnabled;
  $("mfa-confirm").hidden = true;
}

const picture = (src) => Object.assign(new Image(), { src, alt: "" });

onClick($("sign-out"), () => client.auth.signOut());

onClick($("verify").querySelector("button"), async () => {
  const { email } = await client.auth.verifyEmail.send({ callbackUrl: here("verify") });
  say(`A mail is on its way to ${email}.`);
});

// --- Profile

onSubmit("profile", async ({ name, nickname, bio }) => {
  await client.users.profile.update({ name, nickname: nickname || null, bio: bio || null });
  showUser(await client.auth.me());
  say("Your profile is saved.");
});

$("picture").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  if (file) attempt(null, () => upload(file));
});

async function upload(file) {
  say("");
  const bar = $("progress");
  const onProgress = ({ loaded, total }) => (bar.value = loaded / total);
  bar.value = 0;
  bar.hidden = false;
  try {
    showUser(await client.users.avatar.upload(file, { onProgress }));
  } finally {
    bar.hidden = true;
    $("picture").value = "";
  }
  say("Your picture is saved.");
}

onClick($("no-picture"), async () => {
  await client.users.avatar.remove();
  showUser(await client.auth.me());
  say("Your picture is removed.");
});

// --- Password and second factor

onSubmit("password", async (form) => {
  await client.auth.changePassword(form);
  say("Your password is changed. Sign in with the new one.");
});

onSubmit("mfa-enable", async (form) => {
  const { secret, qrCodeSvg, backupCodes } = await client.auth.mfa.enable(form);
  // As a picture: markup from elsewhere is not put into the page.
  const svg = qrCodeSvg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ');
  $("qr").src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  $("secret").textContent = secret;
  $("backup-codes").replaceChildren(...backupCodes.map((code) => element("li", code)));
  $("mfa-enable").reset();
  $("mfa-enable").hidden = true;
  $("mfa-confirm").hidden = false;
  $("mfa-confirm").elements.code.focus();
});

onSubmit("mfa-confirm", async (form) => {
  await client.auth.mfa.confirm(form);
  showUser(await client.auth.me());
  $("mfa-confirm").reset();
  say("The second factor is on.");
});

onSubmit("mfa-disable", async (form) => {
  await client.auth.mfa.disable(form);
  showUser(await client.auth.me());
  $("mfa-disable").reset();
  say("The second factor is off.");
});

// --- Sessions and accounts

const TIMES = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

async function showSessions() {
  const { items } = await client.auth.sessions.list({ limit: 100 });
  const ofSession = ({ id, deviceInfo, ipAddress, lastActivityAt, current }) => {
    const where = [ipAddress, TIMES.format(new Date(lastActivityAt))].filter(Boolean);
    const text = element("span", "", element("b", deviceInfo), element("small", where.join(" · ")));
    return element("li", "", text, current ? badge("this device") : ending(id, deviceInfo));
  };
  $("sessions").replaceChildren(...items.map(ofSession));
}

const badge = (text) => Object.assign(element("em", text), { className: "badge" });

function ending(id, device) {
  return removal("End", `End the session on ${device}`, async () => {
    await client.auth.sessions.end(id);
    await showSessions();
    say("The session is ended.");
  });
}

async function showAccounts() {
  const { items } = await client.auth.accounts.list({ limit: 100 });
  const ofAccount = ({ provider, type, email }) => {
    const name = type === "oauth" ? (PROVIDERS[provider] ?? provider) : "E-mail";
    const text = element("span", "", element("b", name), element("small", email ?? ""));
    return element("li", "", text, type === "oauth" ? unlinking(provider, name) : "");
  };
  $("accounts").replaceChildren(...items.map(ofAccount));
}

function unlinking(provider, name) {
  return removal("Unlink", `Unlink ${name}`, async () => {
    await client.auth.accounts.unlink(provider);
    await showAccounts();
    say(`${name} is unlinked.`);
  });
}

function removal(text, label, call) {
  const button = Object.assign(element("button", text), { type: "button", className: "quiet" });
  button.setAttribute("aria-label", label);
  onClick(button, call);
  return button;
}

// --- Withdrawal

onClick($("withdraw"), () => $("sure").showModal());

$("sure").addEventListener("close", () => {
  const sure = $("sure").returnValue === "yes";
  $("sure").returnValue = "";
  if (sure) attempt(null, withdraw);
});

async function withdraw() {
  await client.auth.withdraw();
  say("Your account is deleted.");
}
