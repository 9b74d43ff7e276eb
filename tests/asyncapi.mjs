// Reads AsyncAPI documents as a JSON list, and prints what their authors' own parser has against each, as a list of its own.
import { Parser } from "@asyncapi/parser";

let given = "";
for await (const chunk of process.stdin) given += chunk;

const parser = new Parser();
const found = [];
for (const document of JSON.parse(given)) found.push(await parser.validate(document));
process.stdout.write(JSON.stringify(found));
