// Makes the replica set and the API's user where they are missing; a password that was changed is set. For mongosh.
const members = process.env.MONGODB_MEMBERS.split(",");
const deadline = Date.now() + 300_000;
// The members' own user: who has the key is one of them. There is no other before this has run.
const member = `__system:${encodeURIComponent(process.env.MONGODB_KEY.replace(/\s/g, ""))}`;
const login = "authSource=local&authMechanism=SCRAM-SHA-256&serverSelectionTimeoutMS=5000";
const NOT_YET_INITIALIZED = 94;

// Names are not known, and members do not answer, until a while after all were started.
function eventually(what, attempt) {
  for (;;) {
    try {
      attempt(); // not `return attempt()`: mongosh would wait for it outside of the `try`
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      print(`${what}: ${error.message}; again in 2 s`);
      sleep(2000);
    }
  }
}

function ask(host, command) {
  return new Mongo(`mongodb://${member}@${host}/?directConnection=true&${login}`).getDB("admin").runCommand(command);
}

function isInitiated(host) {
  try {
    ask(host, { replSetGetStatus: 1 });
    return true;
  } catch (error) {
    if (error.code === NOT_YET_INITIALIZED) return false;
    throw error;
  }
}

eventually("the replica set", () => {
  // Each is asked: one that has lost its volume is taken back by the others, and must not begin a set of its own.
  // (A loop: mongosh waits for no answers within a callback of `map` or `some`.)
  let unheard;
  for (const host of members) {
    try {
      if (isInitiated(host)) {
        print("the replica set is there");
        return;
      }
    } catch (error) {
      unheard = error;
    }
  }
  if (unheard) throw unheard;
  ask(members[0], {
    replSetInitiate: {
      _id: "rs0",
      members: members.map((host, _id) => ({ _id, host })),
      // By default writes wait for 11 s when a primary has died; so, for 2 s.
      settings: { electionTimeoutMillis: 1000, heartbeatIntervalMillis: 250 },
    },
  });
  print("the replica set was made");
});

eventually("the user", () => {
  const client = new Mongo(`mongodb://${member}@${members.join(",")}/?replicaSet=rs0&${login}`);
  const database = client.getDB("storecast");
  const user = {
    pwd: process.env.MONGODB_PASSWORD,
    roles: [
      { role: "readWrite", db: "storecast" },
      { role: "dbAdmin", db: "storecast" }, // options of a collection that others have made
    ],
  };
  const isThere = database.runCommand({ usersInfo: "storecast" }).users.length > 0;
  const command = isThere ? "updateUser" : "createUser";
  database.runCommand({ [command]: "storecast", ...user, writeConcern: { w: "majority" } });
  print(`${command}: done`);
});
