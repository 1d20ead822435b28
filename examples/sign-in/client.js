// The client of this page. Imported here only, so that the server's address is named once.
import { API, KEY } from "./config.js";

const module = await import(`${API}/bkend.js`).catch(unreachable);

export const { createClient, BkendError, takeFromAddress } = module;

export const client = createClient({ key: KEY, baseUrl: API });

/** This page's address, for links that lead back to it. */
export const here = (flow) => `${location.origin}${location.pathname}?flow=${flow}`;

/** Without the client nothing here works: says so, and lets the rest of the page wait for good. */
function unreachable() {
  const again = Object.assign(document.createElement("button"), { textContent: "Try again" });
  again.className = "link";
  again.addEventListener("click", () => location.reload());
  const note = document.getElementById("alert");
  note.replaceChildren(`The server at ${API} cannot be reached. `, again);
  note.hidden = false;
  return new Promise(() => {});
}
