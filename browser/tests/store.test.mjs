// The IndexedDB store on fake-indexeddb: preconditions, numbers, order, lost connections, repeated commits, hints.
// The same store runs the whole conformance suite of weft_core.testing in Chromium; see tests/browser.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import { IDBDatabase as FakeDatabase, IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { bridgeScript, carriedBridge } from "../scripts/bridge.mjs";
import { load } from "./load.mjs";

globalThis.indexedDB = new IDBFactory();
globalThis.IDBKeyRange = IDBKeyRange;
const { openStore } = await load("store/index.ts");
const { openOwnable } = await load("store/ownable.ts");
const { bridge } = await load("store/bridge.ts");

const opened = [];
let count = 0;
const newName = () => `test-${++count}`;

async function open(name = newName(), options = {}) {
  const store = await openOwnable(name, options.durability);
  opened.push(store);
  return store;
}

afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});

/** Let `tamper` at every read-write transaction of this context, before the store gets it; returns the undo. */
function tamper(change) {
  const { prototype } = FakeDatabase;
  const original = prototype.transaction;
  prototype.transaction = function (names, mode, options) {
    const transaction = () => original.call(this, names, mode, options);
    return mode === "readwrite" ? change(transaction, this) : transaction();
  };
  return () => {
    prototype.transaction = original;
  };
}
const values = async (store) => (await store.scan("a", "~")).map((row) => `${row.key}=${row.value}`).join(" ");
const isConflict = (key, expected, actual) => (error) =>
  error.code === "conflict" && error.key === key && error.expected === expected && error.actual === actual;

test("rows are put, read, deleted, and versions are commit numbers", async () => {
  const store = await open();
  const first = await store.commit({ put: { a: "1", b: "2" } });
  const second = await store.commit({ expect: { a: first, c: 0 }, put: { c: "3" }, delete: ["b"] });
  assert.ok(second > first);
  assert.deepEqual(
    [...(await store.get(["a", "b", "c", "a"])).values()],
    [
      { key: "a", value: "1", version: first },
      { key: "c", value: "3", version: second },
    ],
  );
  const third = await store.commit({
    deleteRange: [
      ["a", "c"],
      ["x", "a"],
    ],
    put: { bb: "in the range" },
  });
  assert.equal(await values(store), "bb=in the range c=3");
  assert.equal((await store.get(["bb"])).get("bb").version, third);
});

test("a failed precondition names the first one and undoes everything", async () => {
  const store = await open();
  const first = await store.commit({ put: { a: "1", b: "1" } });
  const second = await store.commit({ put: { b: "2" } });
  const before = await values(store);
  const wrong = { expect: { a: first, c: 9, b: first }, put: { a: "x", d: "x" }, deleteRange: [["a", "z"]] };
  await assert.rejects(store.commit(wrong), isConflict("c", 9, 0));
  await assert.rejects(store.commit({ ...wrong, expect: { b: first } }), isConflict("b", first, second));
  await assert.rejects(store.commit({ expect: { b: 0 } }), isConflict("b", 0, second));
  assert.equal(await store.commit({ expect: { b: second, c: 0 } }), 0);
  assert.equal(await values(store), before);
  assert.equal(await store.commit({ expect: { b: second }, put: { b: "3" } }), second + 1);
});

test("two handles number their commits in turn, whoever guessed wrong", async () => {
  const name = newName();
  const stores = [await open(name), await open(name), await open(name)];
  await stores[0].acquire();
  let last = 0;
  for (const turn of "000110120221012200110") {
    const number = await stores[turn].commit({ put: { a: turn } });
    assert.ok(number > last);
    last = number;
    for (const store of stores) assert.equal((await store.get(["a"])).get("a").version, number);
  }
  const numbers = await Promise.all(
    Array.from({ length: 30 }, (_, n) => stores[n % 3].commit({ put: { [`k${n}`]: "" } })),
  );
  assert.equal(new Set(numbers).size, 30);
});

test("random batches of several handles have the effect of a plain map", async () => {
  const seed = Number(process.env.SEED ?? 1);
  let state = seed;
  const chance = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const name = newName();
  const stores = [await open(name), await open(name)];
  await stores[0].acquire();
  const names = Array.from({ length: 12 }, (_, n) => `${"abc"[n % 3]}/${n}`);
  let model = new Map();
  for (let step = 0; step < 400; step++) {
    const expect = {};
    const put = {};
    for (let n = chance(4); n > 0; n--) {
      const key = names[chance(12)];
      const version = model.get(key)?.version ?? 0;
      expect[key] = chance(10) ? version : version + chance(3) - 1;
    }
    for (let n = chance(4); n > 0; n--) put[names[chance(12)]] = String(step);
    const gone = chance(4) ? [] : [names[chance(12)]];
    const deleteRange = chance(6) ? [] : [[names[chance(12)], names[chance(12)]]];
    const wrong = Object.entries(expect).find(([key, version]) => (model.get(key)?.version ?? 0) !== version);
    const committing = stores[chance(5) ? 0 : 1].commit({ expect, put, delete: gone, deleteRange });
    const where = `seed ${seed}, step ${step}`;
    if (wrong) {
      await assert.rejects(committing, (error) => error.code === "conflict" && error.key === wrong[0], where);
    } else {
      const number = await committing;
      const within = (key) => deleteRange.some(([start, end]) => start <= key && key < end);
      model = new Map([...model].filter(([key]) => !within(key) && !gone.includes(key)));
      for (const [key, value] of Object.entries(put)) model.set(key, { key, value, version: number });
    }
    const wanted = [...model.values()].sort((one, two) => (one.key < two.key ? -1 : 1));
    assert.deepEqual(await stores[chance(2)].scan("a", "z"), wanted, where);
  }
});

/** A lock manager that refuses nobody: every store believes that it is the only owner. */
async function withoutLocks(body) {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const locks = { request: async (_name, _options, hold) => hold({}) };
  Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
  try {
    await body();
  } finally {
    if (before) Object.defineProperty(globalThis, "navigator", before);
    else delete globalThis.navigator;
  }
}

test("owners that have lost the store without knowing never write over a newer commit", () =>
  withoutLocks(async () => {
    const seed = Number(process.env.SEED ?? 1);
    let state = seed;
    const chance = (n) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return Math.floor((state / 2 ** 32) * n);
    };
    const name = newName();
    const [fence, ...stores] = await Promise.all([1, 2, 3, 4].map(() => open(name)));
    const fenced = new Map();
    let [version, last] = [0, 0];
    for (let step = 0; step < 700; step++) {
      const store = stores[chance(chance(30) ? 1 : 3)]; // long stretches by the first
      const where = `seed ${seed}, step ${step}`;
      if (chance(40) === 0) {
        await store.acquire();
        version = last = await store.commit({ put: { owner: `${step}` } });
        fenced.set(store, version);
      } else if (chance(20) === 0) {
        const number = await fence.commit({ put: { page: `${step}` } });
        assert.ok(number > last, where);
        last = number;
      } else {
        const expect = { owner: fenced.get(store) ?? 0 };
        const committing = store.commit({ expect, put: { [`row/${chance(5)}`]: `${step}` } });
        if (expect.owner === version) {
          const number = await committing;
          assert.ok(number > last, `${where}: ${number} after ${last}`);
          last = number;
        } else await assert.rejects(committing, isConflict("owner", expect.owner, version), where);
      }
    }
  }));

/** What batches, committed one after another, do to a model (a map of rows); gives the outcome of each. */
function modelled(model, batches, latest) {
  let number = latest;
  return batches.map(({ expect, put, delete: gone, deleteRange }) => {
    const at = (key) => model.get(key)?.version ?? 0;
    const wrong = Object.keys(expect).find((key) => at(key) !== expect[key]);
    if (wrong) return { conflict: [wrong, expect[wrong], at(wrong)] };
    if (!deleteRange.length && !gone.length && !Object.keys(put).length) return { number: 0 };
    for (const key of [...model.keys()]) {
      if (gone.includes(key) || deleteRange.some(([start, end]) => start <= key && key < end)) model.delete(key);
    }
    number += 1;
    for (const [key, value] of Object.entries(put)) model.set(key, { key, value, version: number });
    return { number };
  });
}

test("commits made at the same time have the effect of one after the other, in their order", async () => {
  const seed = Number(process.env.SEED ?? 1);
  let state = seed;
  const chance = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  for (const owning of [false, true]) {
    const store = await open();
    if (owning) await store.acquire();
    const names = Array.from({ length: 8 }, (_, n) => `${"ab"[n % 2]}/${n}`);
    const model = new Map();
    let latest = 0;
    let conflicts = 0;
    for (let step = 0; step < 150; step++) {
      const where = `seed ${seed}, owning ${owning}, step ${step}`;
      const batches = Array.from({ length: 1 + chance(6) }, (_, place) => {
        const batch = { expect: {}, put: {}, delete: chance(3) ? [] : [names[chance(8)]], deleteRange: [] };
        if (!chance(5)) batch.deleteRange.push([names[chance(8)], names[chance(8)]]);
        for (let n = chance(3); n > 0; n--) {
          const version = model.get(names[chance(8)])?.version ?? 0;
          batch.expect[names[chance(8)]] = chance(3) ? version : latest + chance(4); // also numbers the group may get
        }
        batch.put[names[chance(8)]] = `${step}.${place}`;
        return batch;
      });
      const wanted = modelled(model, batches, latest);
      const got = await Promise.allSettled(batches.map((batch) => store.commit(batch)));
      assert.deepEqual(
        got.map(({ value, reason }) =>
          reason === undefined ? { number: value } : { conflict: [reason.key, reason.expected, reason.actual] },
        ),
        wanted,
        where,
      );
      conflicts += wanted.filter(({ conflict }) => conflict).length;
      latest = Math.max(latest, ...wanted.map(({ number }) => number ?? 0));
      const rows = [...model.values()].sort((one, two) => (one.key < two.key ? -1 : 1));
      assert.deepEqual(await store.scan("a", "z"), rows, where);
    }
    assert.ok(conflicts > 50 && latest > 100, `${conflicts} conflicts, ${latest} commits`);
  }
});

test("commits that wait for one another share a transaction, up to a limit", async () => {
  const store = await open();
  let transactions = 0;
  const undo = tamper((begin) => {
    transactions += 1;
    return begin();
  });
  const put = (n) => store.commit({ expect: { [`k${n}`]: 0 }, put: { [`k${n}`]: "" } });
  const first = await Promise.all(Array.from({ length: 100 }, (_, n) => put(n)));
  assert.equal(transactions, 1);
  const running = put(100);
  while (transactions === 1) await null; // until it is under way
  const later = Array.from({ length: 150 }, (_, n) => put(101 + n));
  assert.equal(await running, 101);
  await Promise.all(later);
  undo();
  assert.equal(transactions, 4); // the one under way, then 100, then 50
  assert.deepEqual(
    first,
    Array.from({ length: 100 }, (_, n) => n + 1),
  );
});

test("a group whose outcome was lost is repeated and applied once, each with its own outcome", async () => {
  for (const applied of [true, false]) {
    const store = await open();
    const first = await store.commit({ put: { a: "1" } });
    let times = 0;
    const undo = tamper((begin, database) => {
      const transaction = begin();
      if (times++ > 0) return transaction;
      Object.defineProperty(transaction, "oncomplete", {
        set() {
          transaction.addEventListener("complete", () => {
            transaction.onabort();
            database.close();
          });
        },
      });
      if (!applied) {
        const { objectStore } = transaction;
        transaction.objectStore = (name) => {
          const rows = objectStore.call(transaction, name);
          if (name === "kv") rows.put = () => transaction.abort();
          return rows;
        };
      }
      return transaction;
    });
    const outcomes = await Promise.allSettled([
      store.commit({ expect: { a: first }, put: { a: "2" } }),
      store.commit({ expect: { a: first }, put: { a: "3" } }),
      store.commit({ expect: { a: first + 1 }, put: { b: "4" } }),
    ]);
    undo();
    assert.equal(times, 2);
    assert.deepEqual(
      outcomes.map(({ value, reason }) => value ?? reason.actual),
      [first + 1, first + 1, first + 2],
    );
    assert.ok(outcomes[1].reason.code === "conflict");
    assert.equal(await values(store), "a=2 b=4");
    assert.equal(await store.commit({ put: { c: "5" } }), first + 3);
  }
});

test("a commit that does not fit fails alone, whatever others were made at the same time", async () => {
  const store = await open();
  const undo = tamper((begin) => {
    const transaction = begin();
    const { objectStore } = transaction;
    transaction.objectStore = (name) => {
      const rows = objectStore.call(transaction, name);
      const { put } = rows;
      if (name === "kv") {
        rows.put = (row) => {
          if (row.value !== "huge") return put.call(rows, row);
          Object.defineProperty(transaction, "error", { get: () => new DOMException("full", "QuotaExceededError") });
          transaction.abort();
        };
      }
      return rows;
    };
    return transaction;
  });
  const texts = ["1", "huge", "3"];
  const outcomes = await Promise.allSettled(texts.map((text, n) => store.commit({ put: { [`k${n}`]: text } })));
  undo();
  assert.deepEqual(
    outcomes.map(({ value, reason }) => value ?? reason.code),
    [1, "store_full", 2],
  );
  assert.equal(await values(store), "k0=1 k2=3");
});

test("an owner notices a group that others wrote, and they notice the owner's", () =>
  withoutLocks(async () => {
    const name = newName();
    const [owner, page, next] = await Promise.all([1, 2, 3].map(() => open(name)));
    await owner.acquire();
    const fence = await owner.commit({ put: { owner: "1" } });
    const step = (store) => store.commit({ expect: { owner: fence }, put: { row: "" } });
    let last = await step(owner);
    for (const size of [1, 2, 3, 50]) {
      const commits = Array.from({ length: size }, (_, n) => page.commit({ put: { [`p${n}`]: "" } }));
      const numbers = await Promise.all(commits);
      assert.deepEqual(
        numbers,
        numbers.map((_, n) => last + 1 + n),
      );
      last = await step(owner);
      assert.equal(last, numbers[size - 1] + 1);
    }
    // One that takes over by a group: the former owner's next number is among them, wherever the group began.
    await next.acquire();
    await Promise.all([
      next.commit({ put: { owner: "2" } }),
      next.commit({ put: { a: "" } }),
      next.commit({ put: { b: "" } }),
    ]);
    for (let n = 0; n < 200; n++) await next.commit({ put: { a: `${n}` } });
    await assert.rejects(step(owner), isConflict("owner", fence, last + 1));
  }));

test("a watcher that throws spoils no commit", async () => {
  const store = await open();
  const reported = [];
  const { reportError: before } = globalThis;
  globalThis.reportError = (error) => reported.push(error.message);
  let heard = 0;
  store.watch(() => {
    throw new Error("mine");
  });
  store.watch(() => {
    heard += 1;
  });
  const numbers = await Promise.all([store.commit({ put: { a: "1" } }), store.commit({ put: { b: "1" } })]);
  globalThis.reportError = before;
  assert.deepEqual([numbers, heard, reported], [[1, 2], 1, ["mine"]]);
});

test("an owner forgets the numbers of old commits, a new owner those of the one before", async () => {
  const name = newName();
  const numbered = async () => {
    const database = await new Promise((resolve) => {
      indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result);
    });
    const request = database.transaction(["meta"]).objectStore("meta").getAllKeys(IDBKeyRange.bound(0, Infinity));
    await new Promise((resolve) => {
      request.onsuccess = resolve;
    });
    database.close();
    return request.result;
  };
  const page = await open(name);
  await page.commit({ put: { page: "" } });
  let last = 1;
  for (let owner = 1; owner <= 3; owner++) {
    const store = await open(name);
    await store.acquire();
    for (let n = 0; n < 200; n++) last = await store.commit({ put: { a: `${n}` } });
    assert.ok((await numbered()).length < 70, `${await numbered()}`);
    await store.release();
    await page.commit({ put: { page: `${owner}` } });
  }
  const store = await open(name);
  await store.acquire();
  await store.commit({ put: { a: "" } });
  assert.deepEqual(await numbered(), [202, 403, 604, 605]); // the first after each owner, and the latest
  assert.equal(last, 603);
  await store.release();
  await page.commit({ put: { page: "" } });
  await store.acquire();
  await store.commit({ put: { a: "" } });
  assert.deepEqual(await numbered(), [202, 403, 604, 607]); // who owns it again owns it anew
});

test("scans keep bounds, limit, direction", async () => {
  const store = await open();
  await store.commit({ put: { b: "", d: "", "d/1": "", d0: "", f: "" } });
  const scan = async (...args) => (await store.scan(...args)).map((row) => row.key).join(" ");
  assert.equal(await scan("b", "f"), "b d d/1 d0");
  assert.equal(await scan("d ", "d0"), "d/1");
  assert.equal(await scan("a", "z", { limit: 2 }), "b d");
  assert.equal(await scan("a", "z", { limit: 2, reverse: true }), "f d0");
  assert.equal(await scan("a", "f", { reverse: true }), "d0 d/1 d b");
  assert.equal(await scan("a", "z", { limit: 0 }), "");
  assert.equal(await scan("z", "a"), "");
  assert.equal(await scan("d", "d"), "");
});

test("a commit whose outcome was lost is repeated and applied once", async () => {
  for (const applied of [true, false]) {
    const store = await open();
    const first = await store.commit({ put: { a: "1" } });
    let lost = 0;
    const undo = tamper((begin, database) => {
      if (lost++ > 0) return begin();
      const transaction = begin();
      // The connection dies while the commit is on its way: the caller hears `abort`, the disk may have it all the same.
      if (!applied) queueMicrotask(() => transaction.abort());
      else {
        Object.defineProperty(transaction, "oncomplete", {
          set() {
            transaction.addEventListener("complete", () => {
              transaction.onabort();
              database.close();
            });
          },
        });
      }
      return transaction;
    });
    const number = await store.commit({ expect: { a: first, b: 0 }, put: { a: "2", b: "2" } });
    undo();
    assert.ok(lost >= 2);
    assert.equal(number, first + 1);
    assert.deepEqual((await store.get(["b"])).get("b"), { key: "b", value: "2", version: number });
    assert.equal(await store.commit({ expect: { a: number }, put: { a: "3" } }), number + 1);
  }
});

test("a commit that was applied and lost is recognised even when others committed since", async () => {
  const name = newName();
  const store = await open(name);
  const other = await open(name);
  await store.acquire();
  const first = await store.commit({ put: { a: "1" } });
  let times = 0;
  const undo = tamper((begin) => {
    const transaction = begin();
    if (times++ === 0) {
      Object.defineProperty(transaction, "oncomplete", {
        set() {
          transaction.addEventListener("complete", async () => {
            await other.commit({ put: { a: "other" } });
            transaction.onabort();
          });
        },
      });
    }
    return transaction;
  });
  assert.equal(await store.commit({ expect: { a: first }, put: { a: "2" } }), first + 1);
  undo();
  assert.equal((await store.get(["a"])).get("a").value, "other");
  const next = await store.commit({ put: { a: "3" } });
  assert.equal(next, first + 3);
});

test("a commit is repeated safely also when it was lost on its second try", async () => {
  const name = newName();
  const [store, other] = [await open(name), await open(name)];
  await store.acquire();
  const first = await store.commit({ put: { a: "1" } });
  await other.commit({ put: { b: "1" } });
  let times = 0;
  const undo = tamper((begin) => {
    const transaction = begin();
    times += 1;
    if (times === 2) {
      Object.defineProperty(transaction, "oncomplete", {
        set() {
          transaction.addEventListener("complete", () => transaction.onabort());
        },
      });
    }
    return transaction;
  });
  assert.equal(await store.commit({ expect: { a: first }, put: { a: "2" } }), first + 2);
  undo();
  assert.equal(times, 3);
  assert.equal(await values(store), "a=2 b=1");
});

test("what an owner knows of rows holds no longer when others have committed, also where its own commit goes through", async () => {
  const name = newName();
  const [owner, page] = [await open(name), await open(name)];
  await owner.acquire();
  const version = await owner.commit({ put: { a: "1" } });
  await owner.commit({ put: { b: "1" } });
  const newer = await page.commit({ put: { a: "page" } });
  await owner.commit({ put: { b: "2" } });
  await assert.rejects(owner.commit({ expect: { a: version }, put: { a: "owner" } }), isConflict("a", version, newer));
  assert.equal(await values(owner), "a=page b=2");
});

test("nor when others have committed between a lost commit and its repetition", async () => {
  const name = newName();
  const [owner, page] = [await open(name), await open(name)];
  await owner.acquire();
  const version = await owner.commit({ put: { a: "1" } });
  let newer;
  const undo = tamper((begin) => {
    undo();
    const transaction = begin();
    Object.defineProperty(transaction, "onabort", {
      set(told) {
        transaction.addEventListener("abort", async () => {
          newer = await page.commit({ put: { a: "page" } });
          told();
        });
      },
    });
    transaction.commit = () => transaction.abort();
    return transaction;
  });
  assert.equal(await owner.commit({ put: { b: "1" } }), version + 2);
  await assert.rejects(owner.commit({ expect: { a: version }, put: { a: "owner" } }), isConflict("a", version, newer));
  assert.equal(await values(owner), "a=page b=1");
});

test("a connection that stays dead is reported; whether it was applied is said to be unknown", async () => {
  const store = await open();
  const undo = tamper((begin) => {
    const transaction = begin();
    queueMicrotask(() => transaction.abort());
    return transaction;
  });
  await assert.rejects(store.commit({ put: { a: "1" } }), { code: "store_unavailable", applied: null });
  undo();
  const dead = tamper(() => {
    throw new DOMException("The database connection is closing", "InvalidStateError");
  });
  await assert.rejects(store.commit({ put: { a: "1" } }), { code: "store_unavailable", applied: false });
  dead();
  assert.equal(await values(store), "");
  await store.commit({ put: { a: "2" } });
  assert.equal(await values(store), "a=2");
});

test("no room: store_full, nothing written, and the store goes on", async () => {
  const store = await open();
  const undo = tamper((begin) => {
    const transaction = begin();
    Object.defineProperty(transaction, "error", { get: () => new DOMException("full", "QuotaExceededError") });
    queueMicrotask(() => transaction.abort());
    return transaction;
  });
  await assert.rejects(store.commit({ put: { a: "1" } }), { code: "store_full" });
  undo();
  assert.equal(await values(store), "");
  await store.commit({ put: { a: "2" } });
});

test("a database deleted under an open store is reported, never begun anew", async () => {
  const store = await open();
  await store.commit({ put: { a: "1" } });
  await new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(store.name);
    request.onsuccess = resolve;
    request.onerror = reject;
    request.onblocked = reject;
  });
  await assert.rejects(store.get(["a"]), /was deleted while it was in use/);
  await assert.rejects(store.commit({ put: { a: "2" } }), { code: "store_unavailable", applied: false, gone: true });
  assert.deepEqual(
    (await indexedDB.databases()).filter(({ name }) => name === store.name),
    [],
  );
  const another = await open(store.name);
  assert.equal(await values(another), "");
  await assert.rejects(store.get(["a"]), /was deleted while it was in use/);
});

test("a database that is not a store is not taken for an empty one, and is left as it is", async () => {
  const made = (version, stores) =>
    new Promise((resolve) => {
      const request = indexedDB.open(newName(), version);
      request.onupgradeneeded = () => {
        for (const store of stores) request.result.createObjectStore(store);
      };
      request.onsuccess = () => {
        request.result.close();
        resolve(request.result.name);
      };
    });
  await assert.rejects(
    openStore(await made(99, [])),
    /newer Weft's \(reload the page\).* give `database` another name/,
  );
  for (const stores of [[], ["notes"], ["kv"], ["meta", "notes"]]) {
    const name = await made(1, stores);
    await assert.rejects(openStore(name), {
      code: "store_corrupt",
      message: `the database ${name} is not a Weft store; give \`database\` another name`,
    });
  }
});

test("closing waits for no commit, and spoils none that is on its way", async () => {
  const name = newName();
  const [store, other] = [await open(name), await open(name)];
  let heard = 0;
  other.watch(() => {
    heard += 1;
  });
  const committing = store.commit({ put: { a: "1" } });
  await null;
  await null;
  store.close();
  assert.equal(await committing, 1);
  assert.equal(await values(other), "a=1");
  for (let n = 0; n < 50 && !heard; n++) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(heard, 1);
});

test("one look reads single rows and a range of the same moment", async () => {
  const name = newName();
  const [reader, writer] = [await open(name), await open(name)];
  await writer.commit({ put: { run: "0", "fiber/0": "0" } });
  const looks = [];
  for (let n = 1; n < 40; n++) {
    const writing = writer.commit({ put: { run: `${n}`, "fiber/0": `${n}` } });
    looks.push(reader.look(["run", "none"], "fiber/", "fiber0", 10));
    await writing;
  }
  for (const { rows, found } of await Promise.all(looks)) {
    assert.equal(rows.get("run").value, found[0].value);
    assert.deepEqual([rows.size, found.length], [1, 1]);
  }
});

test("watchers hear of commits here and of commits by other handles", async () => {
  const name = newName();
  const [store, other] = [await open(name), await open(name)];
  let rung = 0;
  const undo = store.watch(() => rung++);
  await store.commit({ put: { a: "1" } });
  assert.equal(rung, 1);
  const heard = new Promise((resolve) => store.watch(resolve));
  await other.commit({ put: { a: "2" } });
  await heard;
  undo();
  const before = rung;
  await store.commit({ put: { a: "3" } });
  assert.equal(rung, before);
});

test("one handle owns the store at a time", async () => {
  const name = newName();
  const [one, two] = [await open(name), await open(name)];
  await one.acquire();
  await one.acquire();
  await assert.rejects(two.acquire(), { code: "store_owned" });
  const waiting = two.acquire({ wait: true });
  one.release();
  await waiting;
  await assert.rejects(one.acquire(), { code: "store_owned" });
  const third = (await open(name)).acquire({ wait: true });
  two.close();
  await third;
  await opened.at(-1).release();
  await one.acquire();
});

test("a closed store says so, and that nothing was applied", async () => {
  const store = await open();
  store.close();
  store.close();
  await store.release();
  for (const call of [() => store.get(["a"]), () => store.scan("a", "b"), () => store.commit({ put: { a: "1" } })]) {
    await assert.rejects(call(), { code: "store_unavailable", applied: false });
  }
  await assert.rejects(store.acquire(), { code: "store_unavailable" });
});

test("the bridge answers every request once, by number", async () => {
  const answers = new Map();
  let wake = () => {};
  const port = bridge.open(newName(), "relaxed", (id, ok, payload) => {
    if (id === 0) return;
    assert.ok(!answers.has(id));
    answers.set(id, [ok, JSON.parse(payload)]);
    wake();
  });
  const answer = async (id) => {
    while (!answers.has(id)) await new Promise((resolve) => (wake = resolve));
    return answers.get(id);
  };
  const commit = ({ expect = [], remove = [], ranges = [], put = [] }) =>
    ["commit", expect.length, remove.length, ranges.length, ...[expect, remove, ranges, put].flat(2)].join("\0");
  port.post(
    2,
    commit({
      put: [
        ["a", "é"],
        ["b", "2"],
      ],
    }),
  );
  assert.deepEqual(await answer(1), [true, null]);
  const [, number] = await answer(2);
  port.post(3, commit({ expect: [["b", 7]], put: [["a", "x"]] }));
  port.post(
    8,
    commit({
      expect: [["b", number]],
      put: [
        ["c", ""],
        ["d", "4"],
        ["e", "5"],
      ],
    }),
  );
  port.post(9, commit({ remove: ["c"], ranges: [["d", "f"]], put: [["f", "6"]] }));
  port.post(4, JSON.stringify({ op: "get", keys: ["b", "c", "a"] }));
  port.post(5, JSON.stringify({ op: "scan", start: "a", end: "z", limit: 1, reverse: true }));
  port.post(6, JSON.stringify({ op: "acquire", wait: false }));
  const [ok, error] = await answer(3);
  assert.equal(ok, false);
  assert.deepEqual(
    { ...error, message: "" },
    { code: "conflict", message: "", key: "b", expected: 7, actual: number, applied: null },
  );
  assert.deepEqual(await answer(4), [
    true,
    [
      ["b", "2", number],
      ["a", "é", number],
    ],
  ]);
  assert.deepEqual(await answer(5), [true, [["b", "2", number]]]);
  assert.deepEqual(await answer(6), [true, null]);
  assert.deepEqual(await answer(8), [true, number + 1]);
  assert.deepEqual(await answer(9), [true, number + 2]);
  port.post(10, JSON.stringify({ op: "scan", start: "a", end: "z", limit: 9, reverse: false }));
  const [, rows] = await answer(10);
  assert.deepEqual(
    rows.map(([key]) => key),
    ["a", "b", "f"],
  );
  port.post(7, JSON.stringify({ op: "release" }));
  assert.deepEqual(await answer(7), [true, null]);
  port.close();
  port.close();
});

test("the copy of the bridge that the Python package carries is up to date", async () => {
  const carried = readFileSync(carriedBridge, "utf8");
  assert.equal(carried, await bridgeScript(), "run: node browser/scripts/bridge.mjs");
});
