/** The operator view: what is seen each other second, and what is done with an emitter, wired together. */
import { ProductApi } from "./api.js";
import { Calls, Problem } from "./calls.js";
import { find } from "./dom.js";
import { EmitterList } from "./emitters.js";
import { FeedPanel } from "./feed.js";
import { FreshnessSign } from "./freshness.js";
import { Operator } from "./operator.js";
import { OperatorApi } from "./operatorapi.js";
import { Orders } from "./order.js";
import { Refresh } from "./refresh.js";
import { persist } from "./retry.js";
import { Session, tabStorage } from "./session.js";
import { SignIn } from "./signin.js";
import { Toast } from "./toast.js";

const EVERY_MS = 2_000;

const sign = new FreshnessSign(document);
const session = new Session(tabStorage());
const calls = new Calls((replica) => sign.servedBy(replica), () => session.token);
const api = new OperatorApi(calls);
const toast = new Toast(find(document, "#toast"));
const system = find(document, "#system");
const feed = new FeedPanel(find(document, "#feed"));
const emitters = new EmitterList(find(document, "#emitters"), {
  drain: (card) => orders.askToDrain(card),
  rebalance: (card) => orders.askToRebalance(card),
});
const orders = new Orders(api, () => emitters.present, {
  onDone,
  onRefused: (problem) => operator.refused(problem, { focus: true }),
});
const refresh = new Refresh(look, EVERY_MS);
const { takes_token } = await persist(
  () => new ProductApi(calls).config(),
  (error) => sign.failed(reason(error)),
);
const door = new SignIn(document, (token) => operator.signIn(token), signOut);
const operator = new Operator(takes_token, session, door, { look: comeIn, leave });
if (operator.begin()) void refresh.start();

async function comeIn() {
  show(await api.state());
  void refresh.start();
}

function leave() {
  refresh.stop();
  orders.close();
  system.hidden = true;
  sign.signedOut();
}

async function look() {
  try {
    const seen = await api.state();
    // Who was signed out meanwhile sees nothing any more.
    if (refresh.isOn) show(seen);
  } catch (error) {
    if (!refresh.isOn) return;
    if (error instanceof Problem && error.isRefusal) operator.refused(error);
    else {
      sign.failed(reason(error));
      system.classList.add("old");
    }
  }
}

/** @param {import("./operatorapi.js").System} seen */
function show(seen) {
  sign.seen();
  system.hidden = false;
  system.classList.remove("old");
  feed.show(seen.feed, seen.feed_away);
  emitters.show(seen.cluster, seen.cluster_away);
  orders.update();
}

/** @param {string} said */
function onDone(said) {
  toast.say(said);
  void refresh.now();
}

function signOut() {
  session.end();
  // Nothing stays that was for the eyes of who was signed in.
  location.reload();
}

/** @param {unknown} error */
function reason(error) {
  return error instanceof Problem ? `The API says: ${error.message}.` : "The API cannot be reached.";
}
