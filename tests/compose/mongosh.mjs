// Enough of mongosh for the health checks of MongoDB in the compose files:
//
//   node mongosh.mjs 127.0.0.1:27017 'quit(db.hello().isWritablePrimary ? 0 : 1)'
//
// mongosh waits for answers by itself; here that is written into the script.
import { MongoClient } from "mongodb";

const [address, script] = process.argv.slice(2);
const client = new MongoClient(`mongodb://${address}/?directConnection=true&serverSelectionTimeoutMS=2000`);
const admin = client.db("admin");

const db = { hello: () => admin.command({ hello: 1 }) };
const rs = {
  status: () => admin.command({ replSetGetStatus: 1 }),
  initiate: (config) => admin.command({ replSetInitiate: config }),
};

const AsyncFunction = (async () => {}).constructor;
const waiting = script.replaceAll(/\b(db|rs)\.\w+\(\)/g, "(await $&)").replaceAll("rs.initiate(", "await $&");

await new AsyncFunction("db", "rs", "quit", waiting)(db, rs, (code) => process.exit(code));
