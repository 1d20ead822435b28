// A sign-in page on bkend, from sign-up to withdrawal. What is yours to set: config.js.
import { showAccount } from "./account.js";
import { client, takeFromAddress } from "./client.js";
import { askForCode, showEntrance, startReset } from "./entrance.js";
import { attempt, say, show } from "./ui.js";

/** What a link in a mail or a provider's redirect brought this page; `flow` says which. */
const arrivals = {
  async link() {
    await attempt(null, () => client.auth.signInWithLink.complete(), {
      "auth/mfa-required": () =>
        askForCode((mfaCode) => client.auth.signInWithLink.complete({ mfaCode })),
    });
  },
  async reset() {
    startReset(takeFromAddress("token", "email"));
  },
  async verify() {
    const { email, token } = takeFromAddress("token", "email") ?? {};
    const done = await attempt(null, () => client.auth.verifyEmail.confirm({ email, token }));
    if (done) say("Your e-mail address is verified.");
  },
  async provider() {
    await attempt(null, () => client.auth.signInWithProvider.complete());
  },
};

let shownUser; // undefined until the first look

/** Shows what belongs to whoever is signed in; here, or in another tab. */
async function showWhoIsThere() {
  const userId = (await client.auth.getSession())?.userId ?? null;
  if (userId === shownUser) return;
  shownUser = userId;
  if (userId === null) showEntrance();
  else await attempt(null, showAccount);
}

client.auth.onChange((event) => {
  if (event === "signedOut") say("You are signed out.");
  showWhoIsThere();
});

const flow = takeFromAddress("flow")?.flow;
await arrivals[flow]?.();
if (!show.current) await showWhoIsThere();
