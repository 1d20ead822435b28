import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import * as bkend from "../../../src/bkend/client/bkend.js";
import { newClient } from "./support.mjs";

const source = new URL("../../../src/bkend/client/bkend.d.ts", import.meta.url);
const text = (await readFile(source, "utf8")).replace(/\/\*\*.*?\*\//gs, "");

/** The members of an interface: name, and the type where it is an interface of its own. */
function membersOf(name) {
  const [, body] = text.match(new RegExp(`interface ${name}[ <][^{]*{\n(.*?)^}`, "ms")) ?? [];
  assert.ok(body, `${name} is not declared`);
  const lines = body.matchAll(/^ {2}(?:readonly )?(\w+)(?:\?|<[^(]*>)?(?:\(|: (\w+)?)/gm);
  return new Map([...lines].map(([, member, type]) => [member, type]));
}

function compare(object, name) {
  const members = membersOf(name);
  assert.deepEqual(Object.keys(object).sort(), [...members.keys()].sort(), name);
  for (const [member, type] of members) {
    const value = object[member];
    const nested = typeof value === "object" && value !== null;
    if (nested) compare(value, type);
    else assert.ok(["function", "string"].includes(typeof value), `${name}.${member}`);
  }
}

describe("declarations", () => {
  test("name every method that a client has, and no other", () => {
    compare(newClient().client, "Client");
    compare(newClient().client.from("notes"), "Table");
  });

  test("name every export, and no other", () => {
    const names = text.matchAll(/^export (?:function|class|const) (\w+)/gm);
    const declared = new Set([...names].map(([, name]) => name));
    assert.deepEqual([...declared].sort(), Object.keys(bkend).sort());
  });

  test("describe every error code of the client's own", async () => {
    const module = new URL("../../../src/bkend/client/bkend.js", import.meta.url);
    const codes = (await readFile(module, "utf8")).matchAll(/misuse\("([a-z-]+)"/g);
    const comments = await readFile(source, "utf8");
    for (const [, code] of codes) assert.ok(comments.includes(`\`client/${code}\``), code);
  });
});
