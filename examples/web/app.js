// A whole app on bkend: open index.html?api=http://127.0.0.1:8000&key=pk_… from any web server.
const query = new URLSearchParams(location.search);
const $ = (id) => document.getElementById(id);
const module = await import(`${query.get("api")}/bkend.js`).catch(unreachable);
const { createClient, BkendError } = module;

const client = createClient({ key: query.get("key") });
const posts = client.from("posts");

/** Without the client nothing here works: says so, and lets the rest of the page wait for good. */
function unreachable() {
  const [api, key] = [query.get("api"), query.get("key")];
  const missing = "Open this page with ?api=http://127.0.0.1:8000&key=pk_… in its address.";
  $("error").textContent = api && key ? `The server at ${api} cannot be reached.` : missing;
  $("error").hidden = false;
  return new Promise(() => {});
}

/** Runs an action and shows what went wrong, if anything did. */
async function attempt(action) {
  $("error").hidden = true;
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof BkendError)) throw error;
    showError(error);
  } finally {
    document.body.dataset.done = String(Number(document.body.dataset.done ?? 0) + 1);
  }
}

function showError({ status, code, message, details, retryAfter }) {
  const label = document.createElement("code");
  label.textContent = `${status} ${code}`;
  const wait = retryAfter ? ` Try again in ${retryAfter} s.` : "";
  const rest = details.slice(1).map((detail) => detail.message);
  $("error").replaceChildren(label, ` ${[message, ...rest].join("; ")}${wait}`);
  $("error").hidden = false;
}

async function showUser() {
  const session = await client.auth.getSession();
  const user = session && (await client.auth.me());
  $("who").hidden = $("write").hidden = !user;
  $("enter").hidden = Boolean(user);
  $("name").textContent = user?.name ?? "";
}

async function showPosts() {
  const { items, pagination } = await posts.list({ limit: 20 });
  $("total").textContent = `${pagination.total} in all`;
  $("posts").replaceChildren(
    ...items.map(({ id, title, createdAt }) => {
      const item = document.createElement("li");
      const time = document.createElement("time");
      time.dateTime = createdAt;
      time.textContent = new Date(createdAt).toLocaleString();
      item.dataset.id = id;
      item.append(title, time);
      return item;
    }),
  );
}

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, ...form } = Object.fromEntries(new FormData(event.target));
  const join = event.submitter.value === "signUp";
  attempt(async () => {
    await (join ? client.auth.signUp({ ...form, name }) : client.auth.signIn(form));
    event.target.reset();
    await showUser();
    await showPosts();
  });
});

$("write").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = [...new FormData(event.target)].filter(([, value]) => value !== "");
  attempt(async () => {
    await posts.create(Object.fromEntries(given));
    event.target.reset();
    await showPosts();
  });
});

$("reload").addEventListener("click", () => attempt(showPosts));
$("signout").addEventListener("click", () => attempt(() => client.auth.signOut()));
client.auth.onChange((event) => {
  if (event !== "refreshed") showUser();
});

Object.assign(globalThis, { client, attempt }); // for a look around from the browser's console
await attempt(async () => {
  await showUser();
  await showPosts();
});
