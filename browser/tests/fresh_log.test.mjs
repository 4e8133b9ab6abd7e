// What Chromium is made to do before the first commit; tests/browser/test_storage.py shows that it helps.
import assert from "node:assert/strict";
import { test } from "node:test";
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { load } from "./load.mjs";

globalThis.IDBKeyRange = IDBKeyRange;

/** The store's modules as a browser with that name would load them, on a fresh IndexedDB or that of an earlier life. */
async function loaded(userAgent, factory = new IDBFactory()) {
  globalThis.indexedDB = factory;
  Object.defineProperty(globalThis, "navigator", { value: { userAgent }, configurable: true });
  const asked = [];
  for (const name of ["deleteDatabase", "open"]) {
    const original = IDBFactory.prototype[name].bind(factory);
    factory[name] = (database, ...rest) => {
      asked.push(`${name} ${database}`);
      return original(database, ...rest);
    };
  }
  const { openStore } = await load("store/index.ts", `${userAgent} ${++lives}`);
  return { asked, openStore, factory };
}

let lives = 0;
const CHROME = "Mozilla/5.0 Chrome/156.0.0.0 Safari/537.36";
const DELETED = ["deleteDatabase weft:log", "open weft:log"];
const ofScratch = (asked) => asked.filter((call) => call.endsWith("weft:log"));

async function commits(openStore, name) {
  const store = await openStore(name);
  const number = await store.commit({ put: { a: "1" } });
  store.close();
  return number;
}

test("Chromium gets a scratch database to delete, once in each context", async () => {
  const first = await loaded(CHROME);
  assert.equal(await commits(first.openStore, "one"), 1);
  assert.equal(await commits(first.openStore, "two"), 1);
  assert.deepEqual(ofScratch(first.asked), [...DELETED, ...DELETED], "there was none: it is made and then deleted");
  const second = await loaded(CHROME, first.factory);
  assert.equal(await commits(second.openStore, "one"), 2);
  assert.deepEqual(ofScratch(second.asked), DELETED);
});

test("a first call that fails is made again", async () => {
  const { asked, openStore, factory } = await loaded(CHROME, (await loaded(CHROME)).factory);
  const { deleteDatabase } = factory;
  factory.deleteDatabase = (name) => {
    factory.deleteDatabase = deleteDatabase;
    asked.push(`refused ${name}`);
    const request = {};
    queueMicrotask(() => request.onerror(new Event("error")));
    return request;
  };
  assert.equal(await commits(openStore, "one"), 1);
  assert.deepEqual(ofScratch(asked), ["refused weft:log", ...DELETED, ...DELETED]);
});

test("other browsers keep IndexedDB elsewhere and are left alone", async () => {
  const { asked, openStore } = await loaded("Mozilla/5.0 Gecko/20100101 Firefox/140.0");
  const store = await openStore("one");
  await store.commit({ put: { a: "1" } });
  store.close();
  assert.deepEqual(asked, ["open one"]);
});

test("a commit waits for the deletion, but not for one that never ends", async () => {
  const { openStore } = await loaded("Chrome/156");
  indexedDB.deleteDatabase = () => ({});
  const { setTimeout } = globalThis;
  let late;
  globalThis.setTimeout = (callback, ms, ...rest) => {
    if (ms !== 2_000) return setTimeout(callback, ms, ...rest);
    late = callback;
  };
  const opening = openStore("one");
  globalThis.setTimeout = setTimeout;
  const store = await opening;
  let done = false;
  const committing = store.commit({ put: { a: "1" } }).then(() => {
    done = true;
  });
  assert.equal((await store.get(["a"])).size, 0);
  assert.equal((await store.get(["a"])).size, 0, "reading waits for nothing");
  assert.equal(done, false);
  late();
  await committing;
  assert.equal((await store.get(["a"])).size, 1);
  store.close();
});
