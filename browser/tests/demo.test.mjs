// What the demo's page says and draws, from facts alone. `make demo CHECK=1` looks at the page itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { doingOf, phaseText, troubleText, attemptText } = await load("../../web/doing.ts");
const { spansOf } = await load("../../web/timeline.ts");
const { textOf } = await load("../../web/file_text.ts");
const { NOTHING, SILENCE_MS, rose, fell, ended, seen, survived } = await load("../../web/outage_log.ts");

const view = (status, wait, state = { phase: "importing", batches: 3 }) => ({
  status,
  state,
  fibers: [{ waitingFor: wait ?? null }],
});
const kinds = (spans) => spans.map(({ kind, from, to }) => `${kind} ${from}-${to}`);

const ROWS = [
  { n: 0, at: 100, kind: "started" },
  { n: 1, at: 110, kind: "activity_completed", name: "look_up", attempt: 1 },
  {
    n: 2,
    at: 120,
    kind: "activity_retried",
    name: "write_batch",
    attempt: 1,
    error: "OSError: the server answered 503",
  },
];
const RETRY = { op: "run", activity: "write_batch", attempt: 2, retry_at: 2_120 };

test("a failed attempt is drawn as retrying, not as an engine that is down", () => {
  const doing = doingOf(view("running", RETRY), ROWS, true);
  assert.deepEqual(kinds(spansOf(ROWS, [], doing, 150)), ["lookup 100-110", "retry 110-120", "retry 120-150"]);
  const rows = [...ROWS, { n: 3, at: 160, kind: "activity_completed", name: "write_batch", attempt: 2 }];
  const after = spansOf(rows, [], doingOf(view("running", { op: "sleep" }), rows, true), 170);
  assert.deepEqual(kinds(after).slice(2), ["retry 120-160", "sleep 160-170"]);
});

test("the error of the last attempt is told in words", () => {
  const doing = doingOf(view("running", RETRY), ROWS, true);
  assert.equal(
    troubleText(doing),
    "write_batch failed: the server answered 503. Nothing is lost; it is tried again by itself.",
  );
  assert.equal(attemptText(doing, 1_000), "Attempt 2 in 2 s");
  assert.equal(attemptText({ ...doing, retryAt: null }, 1_000), "Attempt 2");
  assert.match(phaseText(view("running", RETRY), doing, false), /^Importing; write_batch is being retried/);
});

test("without an engine nothing is being done, whatever the checkpoint waits for", () => {
  for (const wait of [RETRY, { op: "sleep" }, { op: "run", activity: "look_up", attempt: 1 }]) {
    const doing = doingOf(view("running", wait), ROWS, false);
    assert.equal(doing.kind, "interrupted");
    const drawn = spansOf(ROWS, [{ from: 125 }], doing, 150);
    assert.deepEqual(kinds(drawn).at(-1), "down 125-150");
    assert.ok(drawn.every(({ kind, to }) => kind === "down" || to <= 125));
    assert.equal(spansOf(ROWS, [], doing, 150).at(-1).to, 120, "what nobody saw is not drawn");
    assert.match(phaseText(view("running", wait), doing, false), /no engine is running. Start the engine/);
  }
});

test("a bar of work is cut where no engine was there", () => {
  const rows = [...ROWS.slice(0, 2), { n: 2, at: 200, kind: "slept" }];
  const spans = spansOf(
    rows,
    [
      { from: 120, to: 150 },
      { from: 160, to: 200 },
    ],
    { kind: "ended" },
    200,
  );
  const cut = ["lookup 100-110", "sleep 110-120", "down 120-150", "sleep 150-160", "down 160-200"];
  assert.deepEqual(kinds(spans), cut);
});

test("an outage that is told counts, however short", () => {
  const up = rose(NOTHING, 1_000);
  assert.equal(survived(up), 0);
  const down = fell(up, 1_500);
  assert.deepEqual(seen(down, 1_501), [{ from: 1_500 }]);
  assert.equal(survived(down), 0);
  const again = rose(down, 1_510);
  assert.deepEqual(again.list, [{ from: 1_500, to: 1_510 }]);
  assert.equal(survived(again), 1);
  assert.deepEqual(fell(down, 1_600), down);
});

test("an outage that nobody told is known by silence, and by no less", () => {
  const up = rose(NOTHING, 1_000);
  assert.deepEqual(seen(up, 1_000 + SILENCE_MS), []);
  assert.equal(survived(rose(up, 1_000 + SILENCE_MS)), 0);
  assert.deepEqual(seen(up, 1_001 + SILENCE_MS), [{ from: 1_000 }]);
  assert.equal(survived(rose(up, 1_001 + SILENCE_MS)), 1);
});

test("when a run has ended, what comes then is no outage", () => {
  const end = ended(rose(NOTHING, 1_000), 1_200);
  assert.deepEqual(seen(end, 99_000), []);
  assert.deepEqual(ended(fell(rose(NOTHING, 1_000), 1_100), 1_200).list, [{ from: 1_100, to: 1_200 }]);
});

test("a file in another encoding is refused with its line; UTF-8 and UTF-16 that says so are read", () => {
  const table = "code,city\nGVA,Genève\nZRH,Zürich\nHND,東京 😀\n";
  const utf16 = (text) => new Uint8Array(Buffer.from(text, "utf16le"));
  const swapped = (text) => new Uint8Array(Buffer.from(text, "utf16le").swap16());
  const utf8 = (text) => new TextEncoder().encode(text);
  for (const bytes of [utf8(table), utf8(`\ufeff${table}`), utf16(`\ufeff${table}`), swapped(`\ufeff${table}`)]) {
    assert.deepEqual(textOf(bytes), { text: table });
  }
  assert.deepEqual(textOf(new Uint8Array()), { text: "" });
  const latin1 = new Uint8Array(Buffer.from("code,city\nBSL,Basel\nZRH,Zürich\n", "latin1"));
  assert.deepEqual(textOf(latin1), { encoding: "UTF-8", line: 3 });
  assert.deepEqual(textOf(utf8(table).subarray(0, -4)), { encoding: "UTF-8", line: 4 }, "cut in a letter");
  assert.deepEqual(textOf(utf16("code,city\nZRH,Zürich\n")), { encoding: "UTF-8", line: 1 }, "without its mark");
  assert.deepEqual(textOf(utf16(`\ufeff${table}`).subarray(0, -1)), { encoding: "UTF-16LE", line: 4 });
});
