// What is there: pictures and other files, who sees them, and how they go away.
import { client } from "./client.js";
import { $, attempt, confirmed, copyOf, element, onClick, say, sizeOf, tile } from "./ui.js";

const PER_PAGE = 24;
/** Larger pictures that are not public have no thumbnail: there is only the whole of them. */
const LARGEST_ORIGINAL = 5_000_000;
const TIMES = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const SEEN_BY = {
  private: "Only you",
  shared: "Chosen people",
  protected: "Everybody signed in",
  public: "Everybody",
};

let userId = null;
let page = 0;

/** Shows the newest files; of others, those that one may see. */
export async function showGallery(id = userId) {
  userId = id;
  page = 0;
  $("gallery").replaceChildren();
  await showMore();
}

async function showMore() {
  page += 1;
  const search = $("search").elements.search.value.trim();
  const { items, pagination } = await client.files.list({ page, limit: PER_PAGE, search });
  const known = new Set([...$("gallery").children].map(({ dataset }) => dataset.id));
  const fresh = items.filter((file) => !known.has(file.id)); // one may have been added meanwhile
  $("gallery").append(...fresh.map(cardOf));
  $("more").hidden = !pagination.hasNext;
  showEmpty();
}

function showEmpty() {
  const isSearch = $("search").elements.search.value.trim() !== "";
  $("empty").hidden = $("gallery").children.length > 0;
  $("empty").textContent = isSearch ? "No file has such a name." : "Nothing here yet.";
}

/** Puts a new file before the others. */
export function addToGallery(file) {
  $("gallery").prepend(cardOf(file));
  showEmpty();
}

function cardOf(file) {
  const card = copyOf("file-card");
  const isOwn = file.ownerId === userId;
  card.dataset.id = file.id;
  const name = card.querySelector(".name");
  name.textContent = name.title = file.originalName;
  const whose = isOwn ? [] : ["from somebody else"];
  const facts = [sizeOf(file.size), TIMES.format(new Date(file.createdAt)), ...whose];
  card.querySelector(".facts").textContent = facts.join(" · ");
  const opener = card.querySelector(".thumb");
  opener.ariaLabel = `Show ${file.originalName}`;
  onClick(opener, () => open(file));
  showThumbnail(file, opener);
  card.querySelector(".own").hidden = !isOwn;
  if (isOwn) {
    offerVisibility(file, card.querySelector("select"));
    offerRemoval(file, card);
  }
  return card;
}

// --- Pictures

const isPicture = ({ mimeType }) => /^image\//.test(mimeType);

/** A picture, and where that cannot be loaded the next one; in the end a tile. */
function pictureOf(sources, file, alt = "") {
  const [src, ...others] = sources.filter(Boolean);
  if (!src) return tile(file.originalName);
  const image = Object.assign(new Image(), { alt, loading: "lazy", src });
  const retreat = () => image.replaceWith(pictureOf(others, file, alt));
  image.addEventListener("error", retreat, { once: true });
  return image;
}

/** Where a picture is: transformed if it is public, then as it is. */
async function sourcesOf(file, options, largest = Infinity) {
  if (!isPicture(file)) return [];
  if (file.visibility === "public") return [client.files.imageUrl(file, options), file.url];
  return file.size <= largest ? [await client.files.url(file)] : [];
}

async function showThumbnail(file, place) {
  place.replaceChildren(tile(file.originalName));
  const options = { width: 480, height: 360, fit: "smart" };
  const sources = await attempt(() => sourcesOf(file, options, LARGEST_ORIGINAL), () => {});
  if (sources?.length) place.replaceChildren(pictureOf(sources, file));
}

// --- One file, large

async function open(file) {
  $("preview-title").textContent = file.originalName;
  const sides = file.width ? [`${file.width} × ${file.height}`] : [];
  const seenBy = `Who sees it: ${SEEN_BY[file.visibility]}`;
  const facts = [file.mimeType, sizeOf(file.size), ...sides, seenBy];
  $("preview-facts").textContent = facts.join(" · ");
  const url = await client.files.url(file);
  $("preview-link").href = url;
  $("preview-body").replaceChildren(await largeOf(file, url));
  $("preview").showModal();
}

async function largeOf(file, src) {
  const [kind] = file.mimeType.split("/");
  if (kind === "video" || kind === "audio") {
    return Object.assign(element(kind), { src, controls: true, preload: "metadata" });
  }
  const sources = await sourcesOf(file, { width: 1600, height: 1200 });
  return pictureOf(sources, file, file.metadata?.alt ?? file.originalName);
}

$("preview").addEventListener("close", () => $("preview-body").replaceChildren()); // no more sound

// --- Who sees it, and for how long

function offerVisibility(file, select) {
  select.ariaLabel = `Who sees ${file.originalName}`;
  for (const option of select.options) {
    option.hidden = option.value === "shared" && file.visibility !== "shared";
  }
  select.value = file.visibility;
  select.addEventListener("change", async () => {
    say("");
    const wish = { visibility: select.value };
    const changed = await attempt(() => client.files.update(file.id, wish));
    if (changed) Object.assign(file, changed);
    select.value = file.visibility;
    if (!changed) return;
    say(`${file.originalName}: ${SEEN_BY[file.visibility].toLowerCase()} can see it now.`);
    showThumbnail(file, select.closest("li").querySelector(".thumb"));
  });
}

function offerRemoval(file, card) {
  const button = card.querySelector(".delete");
  button.ariaLabel = `Delete ${file.originalName}`;
  onClick(button, async () => {
    $("sure-name").textContent = file.originalName;
    if (!(await confirmed("sure"))) return;
    await client.files.delete(file.id);
    card.remove();
    showEmpty();
    $("gallery-title").focus(); // what had the focus is gone
    say(`${file.originalName} is deleted.`);
  });
}

onClick($("more"), showMore);

$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => showGallery());
});
