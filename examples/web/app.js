// A whole app on bkend: open index.html?api=http://127.0.0.1:8000&key=pk_… from any web server.
const query = new URLSearchParams(location.search);
const [api, key] = ["api", "key"].map((name) => query.get(name));
const $ = (id) => document.getElementById(id);

if (!api || !key) await stop("Open this page with ?api=http://127.0.0.1:8000&key=pk_…");
const loading = import(`${api}/bkend.js`);
const { createClient, BkendError } = await loading.catch(() => stop(`${api} cannot be reached.`));

/** Nothing here works: says why, and lets the rest of the page wait for good. */
function stop(why) {
  $("error").textContent = why;
  $("error").hidden = false;
  return new Promise(() => {});
}

const client = createClient({ key });
const posts = client.from("posts");

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
