/** The live catalogue: what is shown, what is asked, what is heard, wired together. */
import { Activity } from "./activity.js";
import { Announcer } from "./announcer.js";
import { ProductApi } from "./api.js";
import { Cards } from "./cards.js";
import { Catalogue } from "./catalogue.js";
import { Chat } from "./chat.js";
import { find, oncePerFrame } from "./dom.js";
import { ProductForm } from "./form.js";
import { listen } from "./live.js";
import { Pages } from "./pages.js";
import { retryDelayMs, sleep } from "./retry.js";
import { Status } from "./status.js";

/** How many products may come by themselves before the list starts again: a page left open must not grow for ever. */
const MOST_FRESH = 500;
/** A list that is not live is better than none. */
const WITHOUT_EMITTER_MS = 2_000;

const status = new Status(document);
const announcer = new Announcer(find(document, "#announcement"));
const activity = new Activity(find(document, "#activity"), template("#activity-line"), find(document, "#quiet"));
const cards = new Cards(find(document, "#products"), template("#card"));
const catalogue = new Catalogue(oncePerFrame(showCatalogue));
const api = new ProductApi((replica) => status.servedBy(replica));
const pages = new Pages(api, catalogue, showListState);

new ProductForm(
  /** @type {HTMLFormElement} */ (find(document, "#product-form")),
  find(document, "#form-message"),
  createProduct,
);
find(document, "#more").addEventListener("click", () => pages.more());
/** @type {HTMLDetailsElement} */ (find(document, "#add")).open = matchMedia("(min-width: 60rem)").matches;
await start();

async function start() {
  const loadAnyway = setTimeout(() => pages.reload(), WITHOUT_EMITTER_MS);
  const chat = new Chat(find(document, "#chat"), template("#chat-line"), (text) => say(text));
  const say = listen(await config(), {
    onState: (state) => status.connection(state),
    onWelcome: (welcome) => {
      clearTimeout(loadAnyway);
      status.welcomed(welcome);
      // Asked for only now that events are heard: between the list and the first event nothing can get lost.
      if (!welcome.recovered) void pages.reload();
    },
    onHeard,
    onResync: () => pages.reload(),
    onLobby: (place) => chat.open(place),
    onSaid: (said) => chat.add(said),
  });
}

async function config() {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await api.config();
    } catch {
      await sleep(retryDelayMs(attempt));
    }
  }
}

/** @param {import("./live.js").Heard} heard */
function onHeard(heard) {
  activity.add(heard);
  catalogue.apply(heard);
  if (heard.event !== "new_product") return;
  status.heardNewProduct();
  announcer.announce(heard.product.name);
  if (catalogue.freshCount > MOST_FRESH && !pages.loading) void pages.reload();
}

/**
 * @param {import("./api.js").Draft} draft
 * @param {string} key
 */
async function createProduct(draft, key) {
  // Shown from the answer as well: the emitter may be away.
  const { items } = await catalogue.merge(async () => ({ items: [await api.create(draft, key)] }), { fresh: true });
  return items[0];
}

function showCatalogue() {
  const entries = catalogue.newestFirst();
  cards.show(entries);
  find(document, "#empty").hidden = entries.length > 0;
  find(document, "#shown").textContent = entries.length ? `${entries.length.toLocaleString()} shown` : "";
}

/** @param {import("./pages.js").ListState} state */
function showListState({ loading, more, error }) {
  const button = find(document, "#more");
  button.hidden = !more;
  button.setAttribute("aria-disabled", String(loading));
  if (loading) return;
  const message = find(document, "#list-message");
  message.dataset.tone = error ? "bad" : "";
  message.textContent = error ? `The list could not be loaded: ${error.message}` : "";
}

/** @param {string} selector */
function template(selector) {
  return /** @type {HTMLTemplateElement} */ (find(document, selector));
}
