// What a page reads and writes, on fake-indexeddb, beside what Python's client makes of the same rows.
import "fake-indexeddb/auto";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { load, python } from "./load.mjs";

const { openStore } = await load("store/index.ts");
const runs = await load("page/runs.ts");
const { start, send } = await load("page/writes.ts");
const keys = await load("keys.ts");
const values = await load("values.ts");
const { Run } = await load("page/run.ts");
const { Watch } = await load("page/watch.ts");

const reported = []; // Node has no reportError
globalThis.reportError = (error) => reported.push(error.message);

const store = await openStore("page");
after(() => store.close());

/** A run as an engine leaves it: its record, and a fiber that waits for `op` when it is open. */
async function leave(id, workflow, status, op) {
  const record = { id, workflow, version: "1", status, input: [[], {}], created_at: 5 };
  const put = { [keys.run(id)]: JSON.stringify(record) };
  if (op) put[`${keys.fibers(id)}0`] = JSON.stringify({ n: 1, frames: [], wait: { op } });
  await store.commit({ put });
}

await leave("a-1", "order", "running", "signal");
await leave("a-2", "order", "running", "run");
await leave("a-3", "order", "completed");
await leave("b-1", "import", "running", "sleep");
await leave("b-2", "import", "pending");
await store.commit({ put: { [`${keys.fibers("b-1")}1`]: '{"damaged' } });

const ids = async (options) => (await runs.list(store, options)).map((run) => run.id);

test("lists are filtered as in Python", async () => {
  assert.deepEqual(await ids({}), ["a-1", "a-2", "a-3", "b-1", "b-2"]);
  assert.deepEqual(await ids({ status: "waiting" }), ["a-1", "b-1"]);
  assert.deepEqual(await ids({ status: "running" }), ["a-2"]);
  assert.deepEqual(await ids({ status: ["completed", "pending"] }), ["a-3", "b-2"]);
  assert.deepEqual(await ids({ status: [] }), []);
  assert.deepEqual(await ids({ status: "waiting", workflow: "import" }), ["b-1"]);
  assert.deepEqual(await ids({ idPrefix: "a-", limit: 2 }), ["a-1", "a-2"]);
  assert.deepEqual(await ids({ status: "waiting", limit: 1 }), ["a-1"]);
  assert.deepEqual(await ids({ limit: 0 }), []);
});

test("a listed run has the status it is shown with", async () => {
  const shown = (await runs.list(store, {})).map((run) => run.status);
  assert.deepEqual(shown, ["waiting", "running", "completed", "waiting", "pending"]);
});

test("a damaged record is listed with its problem and hides no other", async () => {
  const other = await openStore("damaged");
  await other.commit({
    put: { [keys.run("a")]: '{"id":"a"', [keys.run("b")]: '{"id":"b","workflow":"w","status":"pending"}' },
  });
  const listed = await runs.list(other, {});
  assert.deepEqual(
    listed.map(({ id, status, problem }) => [id, status, problem?.code]),
    [
      ["a", "suspended", "decode"],
      ["b", "pending", undefined],
    ],
  );
  other.close();
});

test("a record under a key that is no run's hides no other", async () => {
  const other = await openStore("damaged keys");
  await other.commit({ put: { "run/%E9": "damaged", "run/%zz": "damaged", [keys.run("b")]: '{"id":"b"' } });
  const listed = await runs.list(other, {});
  assert.deepEqual(
    listed.map(({ id, problem }) => [id, problem?.code]),
    ["%E9", "%zz", "b"].map((id) => [id, "decode"]),
  );
  await other.close();
});

test("an id that no run can have is refused at the start and not found anywhere else", async () => {
  const impossible = "\u540d".repeat(200);
  await assert.rejects(start(store, "order", undefined, { id: impossible }), { code: "declaration" });
  await assert.rejects(start(store, "order", undefined, { id: "" }), { code: "declaration" });
  await assert.rejects(runs.view(store, impossible), { code: "run_not_found" });
  await assert.rejects(runs.history(store, impossible), { code: "run_not_found" });
  await assert.rejects(send(store, impossible, "signal"), { code: "run_not_found" });
  await assert.rejects(send(store, "a-1", "signal", { id: impossible }), { code: "declaration" });
});

test("what cannot be started or sent is refused before anything is stored", async () => {
  const other = await openStore("refused");
  const refused = { code: "declaration" };
  for (const workflow of [5, null, undefined, ""]) await assert.rejects(start(other, workflow, 1, {}), refused);
  for (const options of [
    { args: "abc" },
    { kwargs: [1] },
    { kwargs: "x" },
    { ifExists: "bogus" },
    { startAt: 5 },
    { startAt: new Date("?") },
    { version: 2 },
    { id: 7 },
  ]) {
    await assert.rejects(start(other, "order", 1, options), refused, JSON.stringify(options));
  }
  assert.deepEqual(await other.scan("!", "~"), []);
  const id = await start(other, "order", 1, {});
  for (const name of [5, null, {}]) await assert.rejects(send(other, id, "signal", { name }), refused);
  await assert.rejects(send(other, id, "cancel", { name: { why: 1 } }), refused);
  await assert.rejects(runs.view(other, undefined), refused);
  assert.deepEqual(await other.scan("inbox/", "inbox0"), []);
  await other.close();
});

test("options that cannot be are refused with what to write, and nothing is stored", async () => {
  const other = await openStore("options");
  const ring = {};
  ring.ring = ring;
  const bare = Object.create(null);
  const refused = (promise, message) => assert.rejects(promise, { name: "WeftError", code: "declaration", message });
  const known = /id, args, kwargs, ifExists, startAt, version/;
  for (const options of ["my-id", null, 5, [], new Map([["id", "x"]]), () => 1, { ID: "x" }, { Id: "x", id: "y" }]) {
    await refused(start(other, "order", 1, options), known);
  }
  await refused(start(other, "order", 1, { ID: "x" }), /^start has no option "ID", only: id,/);
  await refused(start(other, "order", 1, "my-id"), /^the options of start are an object .*, not "my-id"$/);
  for (const id of [10n, ring, bare, Symbol("x"), null])
    await refused(start(other, "order", 1, { id }), /run id must be/);
  for (const workflow of [bare, Symbol("x"), 10n]) await refused(start(other, workflow, 1, {}), /by its name/);
  assert.deepEqual(await other.scan("!", "~"), []);

  for (const options of [null, "order", { Status: "running" }, { status: "bogus" }, { status: ["running", 5] }]) {
    await refused(runs.list(other, options), /status/);
  }
  for (const limit of [Number.NaN, -1, "2", 1.5, null])
    await refused(runs.list(other, { limit }), /^limit is a number/);
  await refused(runs.list(other, { idPrefix: 5 }), /^idPrefix/);
  await refused(runs.list(other, { workflow: null }), /^workflow/);
  const nothing = { status: undefined, workflow: undefined, idPrefix: undefined, limit: undefined };
  assert.deepEqual(await runs.list(other, nothing), []);

  const watch = new Watch(other);
  for (const id of [undefined, bare, Symbol("x"), 10n]) {
    await refused(new Run(other, watch, id).status(), /^a run's id is a text/);
    await refused(new Run(other, watch, id).cancel(), /^a run's id is a text/);
  }
  const run = new Run(other, watch, await start(other, "order", 1, { id: "o", startAt: undefined }));
  const before = reported.length;
  for (const options of [null, 5, { timeout: 5 }]) await refused(run.result(options), /result/);
  for (const signal of [5, null, {}]) await refused(run.result({ signal }), /^signal is an AbortSignal/);
  await assert.rejects(run.result({ signal: AbortSignal.abort("enough") }), (reason) => reason === "enough");
  await refused(run.cancel(null), /a reason is a text/);
  for (const [event, listener] of [["chnge", () => 1], ["change"], ["change", 5], [Symbol("x"), () => 1]]) {
    assert.throws(() => run.on(event, listener), { name: "WeftError", code: "declaration", message: /"change"/ });
  }
  assert.throws(() => run.on("change", () => 1, 5), { code: "declaration" });
  await new Promise((resolve) => setTimeout(resolve, 60)); // a look, had anybody been left to look
  assert.equal(reported.length, before);
  watch.close();
  await other.close();
});

test("what is given beside a signal's payload overwrites no part of the message", async () => {
  const other = await openStore("signalled");
  const watch = new Watch(other);
  const run = new Run(other, watch, await start(other, "order", 1, { id: "s" }));
  for (const options of [{ payload: "oops" }, { name: "x" }, { ID: "x" }, null, "x", ["x"], { id: 10n }]) {
    await assert.rejects(run.signal("go", 1, options), { code: "declaration" }, String(options));
  }
  await assert.rejects(run.signal("go", 1, { payload: "oops" }), {
    message: /signal has no option "payload", only: id/,
  });
  const ring = {};
  ring.ring = ring;
  await assert.rejects(run.signal("go", 1, { id: ring }), { code: "declaration" });
  await assert.rejects(run.signal(Symbol("go"), 1), { code: "declaration", message: /text, not Symbol\(go\)/ });
  assert.deepEqual(await other.scan("inbox/", "inbox0"), []);
  await run.signal("go", 1, { id: undefined });
  await run.signal("go", 1, {});
  assert.equal((await other.scan("inbox/", "inbox0")).length, 2);
  watch.close();
  await other.close();
});

test("messages that are sent at once arrive in order, at the cost of one commit each", async () => {
  const other = await openStore("line");
  let commits = 0;
  const counting = {
    name: other.name,
    get: (names) => other.get(names),
    commit: (batch) => {
      commits += 1;
      return other.commit(batch);
    },
  };
  for (const id of ["a", "b"]) await start(other, "order", 1, { id });
  const ended = { id: "c", workflow: "order", version: "1", status: "completed", input: [[], {}], created_at: 5 };
  await other.commit({ put: { [keys.run("c")]: JSON.stringify(ended) } });
  const names = Array.from({ length: 50 }, (_, n) => `n${n}`);
  const sent = names.flatMap((name) => [
    send(counting, "a", "signal", { name }),
    send(counting, "b", "signal", { name: "once", id: "same" }),
    send(counting, "c", "signal", { name }).catch((error) => error.code),
    send(counting, "a", "signal", { name: 5 }).catch((error) => error.code),
  ]);
  const codes = new Set(await Promise.all(sent));
  assert.deepEqual(codes, new Set([undefined, "run_closed", "declaration"]));
  const arrived = async (id) =>
    (await other.scan(keys.inboxes(id), keys.prefixEnd(keys.inboxes(id)))).map((row) => JSON.parse(row.value).name);
  assert.deepEqual(await arrived("a"), names);
  assert.deepEqual(await arrived("b"), ["once"]);
  assert.equal(commits, names.length + 1);
  await other.close();
});

test("a message that fails fails none of those that wait behind it", async () => {
  const other = await openStore("behind");
  await start(other, "order", 1, { id: "r" });
  let failing = 1;
  const full = {
    name: other.name,
    get: (names) => other.get(names),
    commit: async (batch) => {
      if (failing-- > 0) throw Object.assign(new Error("no room"), { code: "store_full" });
      return other.commit(batch);
    },
  };
  const sent = ["one", "two", "three"].map((name) => send(full, "r", "signal", { name }));
  const outcomes = (await Promise.allSettled(sent)).map(({ reason }) => reason?.code);
  assert.deepEqual(outcomes, ["store_full", undefined, undefined]);
  const arrived = (await other.scan("inbox/", "inbox0")).map((row) => JSON.parse(row.value).name);
  assert.deepEqual(arrived, ["two", "three"]);
  await other.close();
});

test("a parked run that is to go on has no outcome until an engine has looked at it again", async () => {
  const watch = new Watch(store);
  const run = new Run(store, watch, "parked");
  const problem = { code: "code_changed", message: "no longer declared" };
  const record = { id: "parked", workflow: "order", status: "suspended", input: [[], {}], created_at: 5, problem };
  const park = () => store.commit({ put: { [keys.run("parked")]: JSON.stringify(record) } });
  await store.commit({ put: { [keys.ready("parked")]: "{}" } });
  await park();
  await assert.rejects(run.result(), { status: "suspended", message: /no longer declared/ });
  await run.resume();
  const again = run.result();
  assert.equal(await runs.readOutcome(watch, "parked"), undefined);
  await park(); // what an engine does that cannot advance it either
  await assert.rejects(again, { status: "suspended" });
  await run.resume();
  const { problem: _, ...good } = record;
  const last = run.result();
  await store.commit({ put: { [keys.run("parked")]: JSON.stringify({ ...good, status: "completed", result: 7 }) } });
  assert.equal(await last, 7);
  await store.commit({ delete: [keys.run("parked"), keys.ready("parked")] });
  watch.close();
});

test("the history tells completed activities in full", async () => {
  const fiber = { n: 3, h: 4, c: 1, e: [[3, 8, "charge", "0", 2], { n: 4, at: 9, kind: "log", level: "info" }] };
  const row = [{ n: 0, at: 5, kind: "started", name: "order" }, [1, 6, 'a "quoted", name', "0.1"]];
  await leave("told", "order", "running");
  await store.commit({
    put: { [`${keys.fibers("told")}0`]: JSON.stringify(fiber), [`${keys.histories("told")}0000`]: JSON.stringify(row) },
  });
  const completed = { kind: "activity_completed" };
  assert.deepEqual(await runs.history(store, "told"), [
    { n: 0, at: 5, kind: "started", name: "order" },
    { n: 1, at: 6, ...completed, name: 'a "quoted", name', fiber: "0.1", attempt: 1 },
    { n: 3, at: 8, ...completed, name: "charge", fiber: "0", attempt: 2 },
    { n: 4, at: 9, kind: "log", level: "info" },
  ]);
  const of = [keys.fibers("told"), keys.histories("told")];
  await store.commit({ delete: [keys.run("told")], deleteRange: of.map((prefix) => [prefix, keys.prefixEnd(prefix)]) });
});

test("a run that exists is used again when a long integer of its input agrees", async () => {
  const long = 2n ** 70n;
  await start(store, "order", long, { id: "long" });
  const stored = python(
    `from weft_core.resume.values import Registry, ValueCodec
codec = ValueCodec(Registry())
print(json.dumps(codec.encode(codec.decode(told))))`,
    values.encode([[long], {}], "input"),
  );
  assert.equal(stored, `[[${long}],{}]`);
  assert.equal(await start(store, "order", long, { id: "long" }), "long");
  const row = (await store.get([keys.run("long")])).get(keys.run("long"));
  const { input, ...others } = JSON.parse(row.value);
  assert.ok(input);
  const text = JSON.stringify({ ...others, input: "?" }).replace('"?"', stored); // as an engine writes it
  await store.commit({ put: { [keys.run("long")]: text } });
  assert.equal(await start(store, "order", long, { id: "long" }), "long");
  await assert.rejects(start(store, "order", long + 1n, { id: "long" }), { code: "already_exists" });
  await store.commit({ delete: [keys.run("long"), keys.ready("long")] });
});

test("a zero below zero is another input than zero, as for Python's client", async () => {
  const other = await openStore("zeros");
  await start(other, "order", -0, { id: "zero" });
  assert.equal(await start(other, "order", -0, { id: "zero" }), "zero");
  await assert.rejects(start(other, "order", 0, { id: "zero" }), { code: "already_exists" });
  await other.close();
});

test("nobody hears of a run after the undo, also of a look that was under way", async () => {
  const watch = new Watch(store);
  const heard = [];
  for (let turn = 0; turn < 20; turn++) {
    const undo = new Run(store, watch, "a-1").on("change", (view) => heard.push(view.id));
    await new Promise((resolve) => setTimeout(resolve, turn % 4));
    const before = heard.length;
    undo();
    await store.get(["x"]);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(heard.length, before);
  }
  watch.close();
});

test("a start that is to wait sets its timer, as Python's client does", async () => {
  const other = await openStore("delayed");
  const at = new Date(1_700_000_000_000);
  await start(other, "order", undefined, { id: "later", startAt: at });
  const found = (await other.scan("timer/", "timer0")).map((row) => row.key);
  assert.deepEqual(found, [keys.timer(at.getTime(), "later", "")]);
  await assert.rejects(start(other, "order", undefined, { startAt: new Date("?") }), { code: "declaration" });
  await other.close();
});

test("an id that is used again counts its executions", async () => {
  const other = await openStore("again");
  const ended = { id: "o", workflow: "order", version: "1", status: "completed", input: [[], {}], created_at: 5 };
  for (const [before, after] of [
    [undefined, 2],
    [2, 3],
  ]) {
    await other.commit({ put: { [keys.run("o")]: JSON.stringify({ ...ended, execution: before }) } });
    await start(other, "order", 1, { id: "o", ifExists: "restart_if_closed" });
    const row = (await other.get([keys.run("o")])).get(keys.run("o"));
    const { status, execution, input } = JSON.parse(row.value);
    assert.deepEqual({ status, execution, input }, { status: "pending", execution: after, input: [[1], {}] });
  }
  await other.close();
});

test("a watched run may hold what JSON cannot", async () => {
  const other = await openStore("watched");
  await other.commit({
    put: {
      [keys.run("big")]: JSON.stringify({
        id: "big",
        workflow: "w",
        version: "1",
        status: "running",
        input: null,
        created_at: 5,
      }),
      [keys.state("big")]: '{"n":{"$int":"0xfffffffffffffffffff"}}',
    },
  });
  const watch = new Watch(other);
  const run = new Run(other, watch, "big");
  const seen = [];
  await new Promise((resolve, reject) => {
    run.on("change", (view) => resolve(seen.push(view)), reject);
  });
  assert.equal(typeof seen[0].state.n, "bigint");
  watch.close();
  await other.close();
});

test("a read that fails over and over is told once, and the run is heard of when it comes", async () => {
  const other = await openStore("missing");
  const watch = new Watch(other);
  let looks = 0;
  const store = {
    scan: (...of) => other.scan(...of),
    look: async (...of) => {
      const found = await other.look(...of);
      looks += 1;
      if (looks < 4) await other.commit({ put: { x: `${looks}` } });
      if (looks === 4) await start(other, "order", 1, { id: "m" });
      return found;
    },
  };
  const heard = [];
  await new Promise((resolve) => {
    new Run(store, watch, "m").on(
      "change",
      (view) => resolve(heard.push(view.id)),
      (error) => heard.push(error.code),
    );
  });
  assert.ok(looks > 4);
  assert.deepEqual(heard, ["run_not_found", "m"]);
  watch.close();
  await other.close();
});

test("a listener's failure stops no other, and closing ends what waits", async () => {
  const other = await openStore("closing");
  const open = { id: "r", workflow: "w", version: "1", status: "running", input: null, created_at: 5 };
  await other.commit({ put: { [keys.run("r")]: JSON.stringify(open) } });
  const watch = new Watch(other);
  const fails = () => {
    throw new Error("told in vain");
  };
  new Run(other, watch, "nobody").on("change", () => {}, fails);
  const result = new Run(other, watch, "r").result();
  await new Promise((resolve) => new Run(other, watch, "r").on("change", resolve));
  await new Promise((resolve) => new Run(other, watch, "r").on("change", resolve));
  assert.deepEqual(new Set(reported), new Set(["told in vain"]));
  watch.close();
  await assert.rejects(result, { code: "store_unavailable" });
  await other.close();
});
