// The obvious product API in Node: Express, one insert, then one POST to the Socket.IO emitter.
//
//   PORT=8000 MONGO_URL=mongodb://... EMITTER_URL=http://127.0.0.1:9000 SECRET=... node api.mjs
import { Agent, request } from "node:http";

import express from "express";
import { Decimal128, MongoClient } from "mongodb";

const { PORT, MONGO_URL, EMITTER_URL, SECRET } = process.env;
const FIELDS = new Set(["name", "description", "price", "currency", "category", "tags", "stock"]);
const agent = new Agent({ keepAlive: true });

const problem = (product) => {
  const unknown = Object.keys(product).find((field) => !FIELDS.has(field));
  if (unknown) return `${unknown}: there is no such field`;
  const { name, description, price, currency, category, tags, stock } = product;
  if (typeof name !== "string" || name.length < 1 || name.length > 200) return "name: 1 to 200 characters";
  if (typeof price !== "string" || !/^\d{1,12}(\.\d{1,4})?$/.test(price)) return "price: a decimal string";
  if (typeof description !== "string" || description.length > 5000) return "description: at most 5,000 characters";
  if (!/^[A-Z]{3}$/.test(currency)) return "currency: ISO 4217";
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(category)) return "category: a slug";
  if (!Array.isArray(tags) || tags.length > 20) return "tags: at most 20";
  if (stock !== null && !(Number.isInteger(stock) && stock >= 0)) return "stock: a whole number or null";
  return null;
};

const emit = (event, payload) =>
  new Promise((resolve, reject) => {
    const body = JSON.stringify({ event, payload });
    const headers = {
      Authorization: `Bearer ${SECRET}`,
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(body),
    };
    const call = request(`${EMITTER_URL}/emit`, { method: "POST", agent, headers }, (response) => {
      response.resume().on("end", () => (response.statusCode === 200 ? resolve() : reject(new Error("not emitted"))));
    });
    call.on("error", reject).end(body);
  });

const client = await new MongoClient(MONGO_URL, { writeConcern: { w: "majority" } }).connect();
const products = client.db().collection("products");

const app = express();
app.disable("x-powered-by");
app.use(express.json({ limit: "64kb" }));
app.post("/products", async (request, response) => {
  const defaults = { description: "", currency: "USD", category: "general", tags: [], stock: null };
  const product = { ...defaults, ...request.body };
  const detail = problem(product);
  if (detail) return response.status(422).json({ detail });
  const now = new Date();
  const document = { ...product, price: Decimal128.fromString(product.price), version: 1, created_at: now, updated_at: now };
  const { insertedId } = await products.insertOne(document);
  const created = { id: insertedId.toHexString(), ...product, version: 1, created_at: now, updated_at: now };
  await emit("new_product", created);
  response.status(201).location(`/products/${created.id}`).json(created);
});
app.listen(Number(PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
