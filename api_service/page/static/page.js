/** The live catalogue: what is shown, what is asked, what is heard, wired together. */
import { Activity } from "./activity.js";
import { Adding } from "./adding.js";
import { Announcer } from "./announcer.js";
import { ProductApi } from "./api.js";
import { Calls, Problem } from "./calls.js";
import { Cards } from "./cards.js";
import { Catalogue } from "./catalogue.js";
import { Chat } from "./chat.js";
import { Deletion } from "./deletion.js";
import { find, oncePerFrame } from "./dom.js";
import { Editor } from "./editor.js";
import { Identity } from "./identity.js";
import { Live } from "./live.js";
import { Pages } from "./pages.js";
import { Pulse } from "./pulse.js";
import { persist } from "./retry.js";
import { Search } from "./search.js";
import { Session, tabStorage } from "./session.js";
import { SignIn } from "./signin.js";
import { Status } from "./status.js";
import { Toast } from "./toast.js";
import { Writer } from "./writer.js";

/** How many products may come by themselves before the list starts again: a page left open must not grow for ever. */
const MOST_FRESH = 500;
/** So many come without being asked for, while somebody looks. */
const UNASKED = 1_000;
/** A list that is not live is better than none. */
const WITHOUT_EMITTER_MS = 2_000;

const status = new Status(document);
const announcer = new Announcer(find(document, "#announcement"));
const activity = new Activity(find(document, "#activity"), find(document, "#quiet"));
const toast = new Toast(find(document, "#toast"));
const pulse = new Pulse();
const catalogue = new Catalogue(oncePerFrame(showCatalogue));
const session = new Session(tabStorage());
const api = new ProductApi(new Calls((replica) => status.servedBy(replica), () => session.token));
const pages = new Pages(api, catalogue, showListState, () => !document.hidden && catalogue.count < UNASKED);
const writer = new Writer(api, catalogue, {
  onDone: (change, replica) => activity.takenBy(change, replica),
  onRefused: (problem) => identity?.changeRefused(problem),
});
const editor = new Editor(writer, (said) => toast.say(said));
const deletion = new Deletion(writer, (said) => toast.say(said));
const cards = new Cards(find(document, "#products"), {
  edit: (card, product) => editor.open(card, product),
  remove: (card, product) => deletion.ask(card, product),
});
const search = new Search(document, (filter) => {
  catalogue.filter = filter;
  void pages.reload().then(() => announcer.say(shownText(catalogue.newestFirst().length) || "Nothing found"));
});
/** @type {Identity | null} null = it is not known yet what takes a token */
let identity = null;
let loadAnyway = 0;
/** @type {Promise<void> | null} */
let charts = null;

new Adding(document, writer);
find(document, "#more").addEventListener("click", () => pages.more());
find(document, "#empty button").addEventListener("click", () => search.clear());
openPanels(matchMedia("(min-width: 60rem)").matches);
start(await persist(() => api.config()));

/** @param {import("./api.js").Config} config */
function start(config) {
  const box = /** @type {HTMLDetailsElement} */ (find(document, "#chat"));
  const chat = new Chat(box, (text) => live.say(text));
  const listener = {
    onState,
    onWelcome,
    onHeard,
    // Asked for only now that events are heard: between the list and the first event nothing can get lost.
    onGap: () => void showList(),
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

/** @param {boolean} open as there is room for them */
function openPanels(open) {
  document.querySelectorAll("details").forEach((panel) => (panel.open = open));
}

/** @param {import("./live.js").ConnectionState} state */
function onState(state) {
  status.connection(state);
  if (state !== "live" && state !== "away") {
    if (!pages.loaded) loadAnyway ||= setTimeout(showList, WITHOUT_EMITTER_MS);
    return;
  }
  clearTimeout(loadAnyway);
  loadAnyway = 0;
  if (state === "away" && !pages.loaded) showLoaded();
}

/** @param {import("./live.js").Welcome} welcome */
function onWelcome(welcome) {
  const note = status.welcomed(welcome);
  if (note) activity.note(note);
  // The tab knows its place after a reload, but has no list any more.
  if (welcome.recovered && !pages.loaded) void showList();
}

/** @param {import("./live.js").Heard} heard */
function onHeard(heard) {
  activity.add(heard);
  pulse.beat(Date.now(), heard.latencyMs);
  catalogue.apply(heard);
  if (heard.event !== "new_product") return;
  status.heardNewProduct();
  announcer.announce(heard.product.name);
  if (catalogue.freshCount > MOST_FRESH && !pages.loading) void pages.reload();
}

async function showList() {
  await pages.reload();
  // The products come first.
  charts ??= drawCharts();
}

async function drawCharts() {
  // The network may go at any moment, and what is on the page by then goes on without it.
  const { Charts } = await persist(() => import("./charts.js"));
  new Charts(document, pulse);
}

function signOut() {
  session.end();
  // Nothing stays that was for the eyes of who was signed in.
  location.reload();
}

function showCatalogue() {
  const entries = catalogue.newestFirst();
  cards.show(entries);
  search.learn(catalogue.categories);
  find(document, "#shown").textContent = shownText(entries.length);
  showEmpty(entries.length === 0 && pages.loaded);
  find(document, "#skeletons").hidden ||= entries.length > 0;
}

/** @param {number} count */
function shownText(count) {
  return count ? `${count.toLocaleString()} shown` : "";
}

/** @param {boolean} isEmpty */
function showEmpty(isEmpty) {
  const { isOpen } = catalogue.filter;
  find(document, "#empty").hidden = !isEmpty;
  find(document, "#empty button").hidden = isOpen;
  find(document, "#empty p").textContent = isOpen
    ? "No products yet. Add the first one, and see it appear on every open page."
    : "No product matches. One that does will appear here as it is made.";
}

/** @param {import("./pages.js").ListState} state */
function showListState({ loading, more, error }) {
  const button = find(document, "#more");
  button.hidden = !more;
  button.setAttribute("aria-disabled", String(loading));
  find(document, "#products").setAttribute("aria-busy", String(loading));
  if (loading) return;
  showLoaded();
  if (error instanceof Problem && error.isRefusal) identity?.refused(error);
  const message = find(document, "#list-message");
  message.dataset.tone = error ? "bad" : "";
  message.textContent = error ? `The list could not be loaded: ${error.message}` : "";
}

function showLoaded() {
  find(document, "#skeletons").hidden = true;
  find(document, "#list-message").textContent = "";
}
