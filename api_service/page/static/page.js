/** The live catalogue: what is shown, what is asked, what is heard, wired together. */
import { Activity } from "./activity.js";
import { Announcer } from "./announcer.js";
import { Problem, ProductApi } from "./api.js";
import { Cards } from "./cards.js";
import { Catalogue } from "./catalogue.js";
import { Chat } from "./chat.js";
import { find, oncePerFrame } from "./dom.js";
import { ProductForm } from "./form.js";
import { Identity } from "./identity.js";
import { Live } from "./live.js";
import { Pages } from "./pages.js";
import { retryDelayMs, sleep } from "./retry.js";
import { Session, tabStorage } from "./session.js";
import { SignIn } from "./signin.js";
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
const session = new Session(tabStorage());
const api = new ProductApi((replica) => status.servedBy(replica), () => session.token);
const pages = new Pages(api, catalogue, showListState);
/** @type {Identity | null} null = it is not known yet what takes a token */
let identity = null;
let loadAnyway = 0;

new ProductForm(
  /** @type {HTMLFormElement} */ (find(document, "#product-form")),
  find(document, "#form-message"),
  createProduct,
);
find(document, "#more").addEventListener("click", () => pages.more());
/** @type {HTMLDetailsElement} */ (find(document, "#add")).open = matchMedia("(min-width: 60rem)").matches;
start(await config());

/** @param {import("./api.js").Config} config */
function start(config) {
  const chat = new Chat(find(document, "#chat"), template("#chat-line"), (text) => live.say(text));
  const listener = {
    onState,
    onWelcome,
    onHeard,
    onResync: () => pages.reload(),
    onLobby: (/** @type {import("./live.js").Place | null} */ place) => chat.open(place, session.name),
    onSaid: (/** @type {import("./said.js").Said} */ said) => chat.add(said),
    onRefused: (/** @type {import("./live.js").Refusal} */ refusal) => who.refused(refusal),
    onExpiring: (/** @type {number} */ seconds) => who.expiring(seconds),
    onExpired: () => who.expired(),
  };
  const live = new Live(config, listener, () => session.token);
  const door = new SignIn(document, (token) => who.signIn(token), signOut);
  const who = new Identity(config, session, door, live);
  identity = who;
  who.begin();
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

/** @param {import("./live.js").ConnectionState} state */
function onState(state) {
  status.connection(state);
  if (state === "connecting" || state === "reconnecting") {
    if (!pages.loaded) loadAnyway ||= setTimeout(() => pages.reload(), WITHOUT_EMITTER_MS);
    return;
  }
  clearTimeout(loadAnyway);
  loadAnyway = 0;
  if (state === "away" && !pages.loaded) find(document, "#list-message").textContent = "";
}

/** @param {import("./live.js").Welcome} welcome */
function onWelcome(welcome) {
  status.welcomed(welcome);
  // Asked for only now that events are heard: between the list and the first event nothing can get lost.
  if (!welcome.recovered || !pages.loaded) void pages.reload();
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
  try {
    // Shown from the answer as well: the emitter may be away.
    const { items } = await catalogue.merge(async () => ({ items: [await api.create(draft, key)] }), { fresh: true });
    return items[0];
  } catch (error) {
    if (!(error instanceof Problem && error.isRefusal)) throw error;
    identity?.changeRefused(error);
    throw new Problem(error.status, "Not added yet: sign in, then press Add product again.", []);
  }
}

function signOut() {
  session.end();
  // Nothing stays that was for the eyes of who was signed in.
  location.reload();
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
  if (error instanceof Problem && error.isRefusal) identity?.refused(error);
  const message = find(document, "#list-message");
  message.dataset.tone = error ? "bad" : "";
  message.textContent = error ? `The list could not be loaded: ${error.message}` : "";
}

/** @param {string} selector */
function template(selector) {
  return /** @type {HTMLTemplateElement} */ (find(document, selector));
}
