import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import {
  createClient, localStorageStorage, memoryStorage,
} from "../../../src/bkend/client/bkend.js";
import { baseUrl, key, newClient, newUser, spoilAccessToken } from "./support.mjs";

const tokens = (name, userId = "u1") => ({ accessToken: `a-${name}`, refreshToken: name, userId });

/** As much of a browser's localStorage as Node lacks. */
class Area {
  entries = new Map();
  getItem = (name) => this.entries.get(name) ?? null;
  setItem = (name, value) => void this.entries.set(name, String(value));
  removeItem = (name) => void this.entries.delete(name);
}

/** As much of the Web Locks API as the client uses. */
class Locks {
  tails = new Map();
  request(name, task) {
    const run = (this.tails.get(name) ?? Promise.resolve()).then(() => task());
    this.tails.set(name, run.catch(() => {}));
    return run;
  }
}

/** What a write of another tab causes here. */
function alert(area, key, previous, next) {
  const [oldValue, newValue] = [previous, next].map((value) => value && JSON.stringify(value));
  const event = Object.assign(new Event("storage"), { storageArea: area, key, oldValue, newValue });
  window.dispatchEvent(event);
}

let window;
let area;

const replaced = new Map();

function define(name, property) {
  if (!replaced.has(name)) {
    replaced.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
  }
  Object.defineProperty(globalThis, name, { configurable: true, ...property });
}

function restore() {
  for (const [name, before] of replaced) {
    delete globalThis[name];
    if (before) Object.defineProperty(globalThis, name, before);
  }
  replaced.clear();
}

describe("storage", () => {
  beforeEach(() => {
    window = new EventTarget();
    area = new Area();
    define("localStorage", { value: area });
    define("addEventListener", { value: window.addEventListener.bind(window) });
    define("removeEventListener", { value: window.removeEventListener.bind(window) });
  });

  afterEach(restore);

  const clientWith = (options) =>
    createClient({ baseUrl, key, storage: localStorageStorage(), ...options });

  describe("localStorage", () => {
    test("keeps the session for the next client of the same app", async () => {
      await clientWith().auth.setSession(tokens("r1"));
      assert.equal((await clientWith().auth.getSession()).refreshToken, "r1");
    });

    test("keeps apps with another key, server or storageKey apart", async () => {
      await clientWith().auth.setSession(tokens("r1"));
      const otherKey = `pk_${"0".repeat(64)}`;
      const others = [{ key: otherKey }, { baseUrl: "http://x.test" }, { storageKey: "other" }];
      for (const options of others) {
        assert.equal(await clientWith(options).auth.getSession(), null);
      }
    });

    test("does not show the whole key in the name", async () => {
      await clientWith({ key: `sk_${"ab".repeat(32)}` }).auth.setSession(tokens("r1"));
      const names = [...area.entries.keys()].join();
      assert.match(names, /sk_abab/);
      assert.doesNotMatch(names, new RegExp("ab".repeat(32)));
    });

    test("holding something unreadable means signed out", async () => {
      for (const value of ["{", "5", "null", '{"accessToken":"a"}']) {
        area.getItem = () => value;
        assert.equal(await clientWith().auth.getSession(), null);
      }
    });

    const broken = {
      "is missing": () => define("localStorage", { value: undefined }),
      "throws when written": () => {
        area.setItem = () => {
          throw new Error("quota");
        };
      },
      "throws when looked at": () => {
        define("localStorage", {
          get() {
            throw new Error("denied");
          },
        });
      },
    };
    for (const [how, breakIt] of Object.entries(broken)) {
      test(`that ${how} is replaced by memory`, async () => {
        breakIt();
        const client = clientWith();
        await client.auth.setSession(tokens("r1"));
        assert.equal((await client.auth.getSession()).refreshToken, "r1");
        assert.equal(area.entries.size, 0);
      });
    }

    test("is the default in browsers", async () => {
      define("document", { value: {} });
      await createClient({ baseUrl, key }).auth.setSession(tokens("r1"));
      assert.equal(area.entries.size, 1);
    });

    test("is not the default outside browsers", async () => {
      await createClient({ baseUrl, key }).auth.setSession(tokens("r1"));
      assert.equal(area.entries.size, 0);
    });
  });

  describe("another tab", () => {
    async function hearing() {
      const client = clientWith({ storageKey: "session" });
      const heard = [];
      const stop = client.auth.onChange((event, now) => heard.push([event, now?.refreshToken]));
      const events = async () => {
        await Promise.resolve();
        return heard;
      };
      return { stop, events };
    }

    test("is heard signing in, refreshing, changing the user and signing out", async () => {
      const { events } = await hearing();
      alert(area, "session", null, tokens("r1"));
      alert(area, "session", tokens("r1"), tokens("r2"));
      alert(area, "session", tokens("r2"), tokens("r3", "u2"));
      alert(area, "session", tokens("r3", "u2"), null);
      assert.deepEqual(await events(), [
        ["signedIn", "r1"],
        ["refreshed", "r2"],
        ["signedIn", "r3"],
        ["signedOut", undefined],
      ]);
    });

    test("with locks waits for the refresh of this one instead of its own", async () => {
      define("document", { value: {} });
      define("navigator", { value: { locks: new Locks() } });
      const [first, second] = [0, 1].map(() => newClient({ storage: localStorageStorage() }));
      const { user } = await first.client.auth.signUp(newUser());
      const [name] = area.entries.keys();
      await spoilAccessToken(localStorageStorage().named(name));
      const users = await Promise.all([first.client.auth.me(), second.client.auth.me()]);
      assert.deepEqual(users.map(({ id }) => id), [user.id, user.id]);
      assert.equal(first.http.refreshes().length + second.http.refreshes().length, 1);
    });

    test("clearing the whole storage signs out", async () => {
      const { events } = await hearing();
      alert(area, null, null, null);
      assert.deepEqual(await events(), [["signedOut", undefined]]);
    });

    test("is not heard about other names, other areas, or after leaving", async () => {
      const { stop, events } = await hearing();
      alert(area, "else", null, tokens("r1"));
      alert(new Area(), "session", null, tokens("r1"));
      stop();
      alert(area, "session", null, tokens("r1"));
      assert.deepEqual(await events(), []);
    });
  });

  describe("memory", () => {
    test("belongs to one object", () => {
      const [one, other] = [memoryStorage(), memoryStorage()];
      one.set(tokens("r1"));
      assert.equal(other.get(), null);
      assert.deepEqual(one.get(), tokens("r1"));
      one.remove();
      assert.equal(one.get(), null);
    });
  });
});
