// A page to upload, look at, share and delete files on bkend. What is yours to set: config.js.
import { client } from "./client.js";
import { showGallery } from "./gallery.js";
import { $, attempt, onClick, say, show } from "./ui.js";
import { showInterrupted, stopAll } from "./uploads.js";

$("entrance").addEventListener("submit", (event) => {
  event.preventDefault();
  say("");
  const { email, password } = Object.fromEntries(new FormData(event.target));
  const name = email.split("@")[0];
  const isNew = event.submitter?.value === "sign-up";
  attempt(() =>
    isNew
      ? client.auth.signUp({ email, password, name })
      : client.auth.signIn({ email, password }),
  );
});

onClick($("sign-out"), () => client.auth.signOut());

async function showFiles() {
  $("entrance").reset();
  const user = await client.auth.me();
  $("who").textContent = user.email;
  await Promise.all([showGallery(user.id), showInterrupted(user.id)]);
  show("files");
}

let shownUser; // undefined until the first look

/** Shows what belongs to whoever is signed in; here, or in another tab. */
async function showWhoIsThere() {
  const userId = (await client.auth.getSession())?.userId ?? null;
  if (userId === shownUser) return;
  shownUser = userId;
  if (userId === null) show("entrance");
  else await attempt(showFiles);
}

client.auth.onChange((event) => {
  if (event === "signedOut") {
    const left = stopAll() ? " Sign in again to go on with your uploads." : "";
    say(`You are signed out.${left}`);
  }
  showWhoIsThere();
});

await showWhoIsThere();
