import type { Socket } from "socket.io-client";

/** Connect, and stay connected until `close`. */
export function connect(options: Options): Connection;

export interface Options {
  /** Where the sockets are: `location.origin` for those of a page's own origin. */
  origin: string;
  /** Their path at that origin; by default `/websocket-service`. */
  path?: string;
  /** What to hear, 1 to 100 of `products` (everything), `category:<slug>`, `product:<id>`; by default `products`. */
  topics?: string[];
  /**
   * Who we are: a JSON Web Token, or a function that gets one. It is called for the first connection, when the token is
   * about to expire, and when it was refused; what it rejects with goes to `onError`, and it is called again.
   */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /** The offset to go on from if `storage` has none. */
  after?: string;
  /** Where the last offset is kept, for each origin and topics; by default the tab's session storage, `null` = nowhere. */
  storage?: KeptIn | null;
  /** Called with each event, once and in order; those that somebody sent without a number come as they are sent. */
  onEvent: (heard: Heard) => void;
  /** Called when changes cannot be told one by one: read the products anew. */
  onGap: (gap: Gap) => void;
  onState?: (state: State) => void;
  /** Called when the token is about to expire, and again when it has, if `token` has no other one. */
  onExpiry?: (expiry: Expiry) => void;
  /** Called with what fails without ending the connection; by default it is written to the console. */
  onError?: (error: unknown) => void;
}

export interface Connection {
  /** By which the server and other clients know this connection (`meta.from.sid`); undefined = there is none now. */
  readonly id: string | undefined;
  /** The last offset heard; undefined = none yet. */
  readonly offset: string | undefined;
  /** What is heard. */
  readonly topics: string[];
  /** The stock client, for what is not here, such as to acknowledge a message. */
  readonly socket: Socket;
  /**
   * Hear more. Fulfilled when the server has taken it, on the next connection if there is none now; from then on the
   * topics belong to this connection however often it is interrupted. Rejects with `Refused`.
   */
  subscribe(topics: string[]): Promise<void>;
  /** Hear less; at least one topic has to be left. After a `refused` it holds for the next connection. */
  unsubscribe(topics: string[]): Promise<void>;
  /**
   * Say something to all who hear a topic of clients, such as `chat:lobby`. Fulfilled when the server has taken it, with
   * how many heard it. Rejects with `Refused`; with an Error where there is no connection; and where no answer came, though
   * it may have been heard: for that it is not sent again.
   */
  publish(topic: string, event: string, payload: unknown): Promise<number>;
  /**
   * Ask for the token and show it now: for who signs in or out while connected, or after a `refused`. Rejects with
   * `Refused`, or what the function for the token rejects with.
   */
  authenticate(): Promise<void>;
  /** End it. The offset stays where it is kept. */
  close(): void;
}

export type Heard = ProductHeard | DeletionHeard | Message;

export interface ProductHeard extends Numbered {
  event: "new_product" | "product_updated";
  payload: Product;
}

export interface DeletionHeard extends Numbered {
  event: "product_deleted";
  /** What was deleted: at least its id. */
  payload: Pick<Product, "id"> & Partial<Product>;
}

interface Numbered {
  /** `time` is when the change was committed: RFC 3339, UTC. */
  meta: { seq: number; id: string; time: string };
  /** The place to go on from: `epoch:seq`. */
  offset: string;
}

/** What was sent without a number: by a program, or by another client. */
export interface Message {
  event: string;
  payload: any;
  meta: any;
  offset?: undefined;
}

/**
 * `new`: nothing was heard before this. `lost`: what was missed is not in the server's memory any more. `resync`: the
 * server cannot say what has changed.
 */
export interface Gap {
  reason: "new" | "lost" | "resync";
}

/**
 * `expiring`: the token is good for so many seconds more. `expired`: the connection is nobody's now, and hears what anybody
 * may.
 */
export type Expiry = { name: "expiring"; seconds: number } | { name: "expired" };

/**
 * `live`: on the emitter `node`; `replayed` events that were missed follow, up to `position` in the log (an offset; null =
 * the emitter does not know yet, and the state is told again when it does). `reconnecting`: it tries again by itself.
 * `refused`: it does not, until `authenticate`.
 */
export type State =
  | { name: "live"; node: string; position: string | null; recovered: boolean; replayed: number }
  | { name: "reconnecting"; reason: string }
  | { name: "refused"; status: number; detail: string };

/** The server's refusal. 401: of a bad token, or of none; 403: of one that does not permit it; 422: names a field. */
export class Refused extends Error {
  constructor(problem: Problem);
  readonly status: number;
  readonly detail: string;
  readonly errors: { field: string; message: string }[];
}

/** A problem document (RFC 9457). */
export interface Problem {
  status: number;
  detail: string;
  errors?: { field: string; message: string }[];
}

export interface KeptIn {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export interface Product {
  id: string;
  name: string;
  description: string;
  /** A decimal, exact: "12.50". */
  price: string;
  /** ISO 4217. */
  currency: string;
  category: string;
  tags: string[];
  /** null = not counted. */
  stock: number | null;
  version: number;
  /** RFC 3339, UTC. */
  created_at: string;
  updated_at: string;
}
