// As somebody may write it: what this file says is held against the types of the package by a test.
import { connect, Refused, type Connection, type Gap, type Heard, type State } from "storecast-client";

const names = new Map<string, string>();

function hear(heard: Heard): void {
  if (!heard.offset) {
    console.log(heard.event, heard.payload, heard.meta);
    return;
  }
  const seq: number = heard.meta.seq;
  const offset: string = heard.offset;
  if (heard.event === "product_deleted") {
    names.delete(heard.payload.id);
    // @ts-expect-error of what was deleted there may be nothing but the id
    const name: string = heard.payload.name;
    return;
  }
  names.set(heard.payload.id, `${heard.payload.name} ${heard.payload.price} ${seq} ${offset}`);
}

function gap({ reason }: Gap): void {
  const reasons: Record<typeof reason, string> = { new: "a", lost: "b", resync: "c" };
  console.log(reasons[reason]);
}

function show(state: State): string {
  switch (state.name) {
    case "live":
      return `${state.node} ${state.position?.length} ${state.recovered} ${state.replayed}`;
    case "reconnecting":
      return state.reason;
    case "refused":
      return `${state.status} ${state.detail}`;
  }
}

const kept = new Map<string, string>();
const connection: Connection = connect({
  origin: "https://shop.example",
  path: "/websocket-service",
  topics: ["category:books"],
  token: async () => (await fetch("/token")).text(),
  after: "e1:16",
  storage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) },
  onEvent: hear,
  onGap: gap,
  onState: show,
  onExpiry: (expiry) => console.log(expiry.name === "expiring" ? expiry.seconds.toFixed() : expiry.name),
  onError: (error: unknown) => console.error(error),
});
connect({ origin: "https://shop.example", token: "a.b.c", storage: null, onEvent: hear, onGap: gap });
// @ts-expect-error who does not say what to do about a gap has a list that is wrong
connect({ origin: "https://shop.example", onEvent: hear });

connection.subscribe(["product:0123456789abcdef01234567"]).catch((error: unknown) => {
  if (error instanceof Refused) console.log(error.status, error.detail, error.errors[0]?.field);
});
await connection.unsubscribe(["category:books"]);
await connection.authenticate();
const reached: number = await connection.publish("chat:lobby", "said", { text: "hello" });
const id: string | undefined = connection.id;
connection.socket.on("note", (_payload: unknown, _meta: unknown, acknowledge: () => void) => acknowledge());
const offset: string | undefined = connection.offset;
// @ts-expect-error it is moved by what is heard
connection.offset = offset;
connection.close();
