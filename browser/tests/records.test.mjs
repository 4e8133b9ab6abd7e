/** Pages and Python write the same rows under the same keys. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { load, python } from "./load.mjs";

const keys = await load("keys.ts");
const records = await load("records.ts");
const values = await load("values.ts");

const NAMES = [
  "plain",
  "",
  "~",
  "a b",
  "sig/order",
  "50%",
  "é",
  "e\u0301",
  "名前",
  "🎈",
  "\ud800",
  "\x00",
  "x".repeat(300),
  "%41",
];

test("a component is quoted as Python quotes it, and comes back", () => {
  const expected = python("from weft_core.store.keys import quote\nprint(json.dumps([quote(t) for t in told]))", NAMES);
  assert.deepEqual(NAMES.map(keys.quote), expected);
  assert.deepEqual(expected.map(keys.unquote), NAMES);
});

test("an id is accepted or refused as Python does", () => {
  const ids = [
    ...["", "x", "x".repeat(200), "x".repeat(201), "名".repeat(133), "名".repeat(134), "名".repeat(200)],
    ...["é".repeat(200), "🎈".repeat(100), "🎈".repeat(101), `${"🎈".repeat(60)}${"x".repeat(140)}`],
    ...[`${"🎈".repeat(60)}${"x".repeat(141)}`, "\ud800".repeat(133), "\ud800".repeat(134), "/".repeat(200)],
    ...["x".repeat(1_200), "x".repeat(1_201)],
  ];
  const expected = python(
    `from weft_core import errors
from weft_core.store import keys
def answer(check, text):
    try:
        return check(text) == text
    except errors.WeftError as error:
        return error.code
checks = (keys.check_run_id, keys.check_signal_id, lambda t: keys.quote(t) and t)
print(json.dumps([[answer(check, t) for check in checks] + [keys.quoted_length(t)] for t in told]))`,
    ids,
  );
  const told = (check, id) => {
    try {
      check(id);
      return true;
    } catch (error) {
      return error.code;
    }
  };
  const checks = [keys.checkRunId, keys.checkSignalId, keys.quote];
  assert.deepEqual(
    ids.map((id) => [...checks.map((check) => told(check, id)), keys.quotedLength(id)]),
    expected,
  );
  assert.equal(told(keys.checkRunId, 7), "declaration");
});

test("every kind of key is the one that Python makes", () => {
  const expected = python(
    `from weft_core.store import keys
print(json.dumps([[keys.run(t), keys.fibers(t), keys.state(t), keys.values(t), keys.seq(t), keys.inboxes(t),
    keys.inbox(t, 7), keys.seen(t, t), keys.seens(t), keys.ready(t), keys.histories(t), keys.unit("ab"),
    keys.timer(0, t, ""), keys.timer(1_700_000_000_000, t, "0.1"), keys.timer(-5, t, t),
    keys.prefix_end("run/"), keys.after("run/x")] for t in told]))`,
    NAMES,
  );
  const made = NAMES.map((t) => [
    ...[keys.run(t), keys.fibers(t), keys.state(t), keys.values(t), keys.seq(t), keys.inboxes(t)],
    ...[keys.inbox(t, 7), keys.seen(t, t), keys.seens(t), keys.ready(t), keys.histories(t), keys.unit("ab")],
    ...[keys.timer(0, t, ""), keys.timer(1_700_000_000_000, t, "0.1"), keys.timer(-5, t, t)],
    ...[keys.prefixEnd("run/"), keys.after("run/x")],
  ]);
  assert.deepEqual(made, expected);
});

test("a run record and inbox rows are byte for byte what Python writes", () => {
  for (const name of ["plain", 'quo"te', "é 🎈"]) {
    const facts = { id: name, workflow: name, version: "1", created_at: 1_700_000_000_000 };
    const expected = python(
      `from weft_core.kernel.records import InboxRow, RunRecord, dump
name, facts = told
record = RunRecord(**facts, status="pending", input=dump([[name], {}]))
rows = [InboxRow(n=1, kind="signal", name=name, payload=dump({"a": name}), id=i, at=5) for i in (None, name)]
delayed = RunRecord(**facts, status="pending", input=dump([[], {}]))
delayed.start_at = 9
delayed.execution = 3
print(json.dumps([record.to_json(), *(row.to_json() for row in rows), delayed.to_json()]))`,
      [name, facts],
    );
    const input = values.encode([[name], {}], "input");
    const payload = values.encode({ a: name }, "payload");
    const empty = values.encode([[], {}], "input");
    assert.deepEqual(
      [
        records.newRunRecord({ ...facts, input, start_at: undefined }),
        records.inboxRow("signal", name, payload, undefined, 5),
        records.inboxRow("signal", name, payload, name, 5),
        records.newRunRecord({ ...facts, input: empty, start_at: 9, execution: 3 }),
      ],
      expected,
    );
  }
});

test("what cannot be stored is refused with the place where it stands", () => {
  const ring = { next: {} };
  ring.next.back = ring;
  const twice = { n: 1 };
  assert.equal(values.encode([twice, twice], "x"), '[{"n":1},{"n":1}]');
  for (const [value, place] of [
    [{ a: [1, () => 1] }, "x.a[1]"],
    [{ seen: new Map() }, "x.seen is a Map, which cannot be stored; send plain data, a Date or a Uint8Array"],
    [{ when: new Date(Number.NaN) }, "x.when is no date of"],
    [{ when: new Date("-000001-01-01") }, "x.when is no date of"],
    [{ when: new Date("+010000-01-01") }, "x.when is no date of"],
    [{ n: Symbol("n") }, "x.n"],
    [ring, "x.next.back refers to what it is in"],
  ]) {
    assert.throws(
      () => values.encode(value, "x"),
      (error) => error.code === "checkpoint" && error.message.includes(place),
    );
  }
});

test("what JavaScript has no word for goes back to Python as it came", () => {
  const texts = python(
    `from collections import deque
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from weft_core.resume.values import Registry, ValueCodec
codec = ValueCodec(Registry())
at = datetime(2024, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=2), "EET"))
shared = [Decimal("1.10"), -0.0, 2**70]
values = [
    at, at.date(), at - at, Decimal("-1.50"), bytes([0, 255]), Fraction(1, 3), range(3),
    {"at": at, "deep": [{"b": b"x"}, deque([{1: at}])]},
    [shared, deque([shared, ("t", {3: at})]), deque([at, at])],
    {"10": at.tzinfo, "2": deque([{"$decimal": "no tag"}, {"7": at.tzinfo}]), "0": [at.tzinfo]},
    {"$decimal": "1"},
]
print(json.dumps([codec.encode(value) for value in values]))`,
    null,
  );
  const again = texts.map((text) => values.encode(values.decode(values.parseJson(text)), "x"));
  const differences = python(
    `from weft_core.resume.values import Registry, ValueCodec
codec = ValueCodec(Registry())
print(json.dumps([texts for texts in told if codec.decode(texts[0]) != codec.decode(texts[1])]))`,
    texts.map((text, i) => [text, again[i]]),
  );
  assert.deepEqual(differences, []);
});

test("a stored node is known by itself, in whole or in part; an object like it is a dict", () => {
  const text = '{"who":{"$object":["app:Person",{"born":{"$date":"1815-12-10"},"of":["x"]}]},"same":{"$ref":1}}';
  const read = values.decode(values.parseJson(text));
  const { who } = read;
  assert.deepEqual(who, { $object: ["app:Person", { born: { $date: "1815-12-10" }, of: ["x"] }] });
  assert.equal(read.same, who);
  const again = JSON.stringify(who);
  assert.equal(values.encode(who, "x"), again);
  assert.equal(values.encode(read, "x"), `{"who":${again},"same":${again}}`);
  assert.equal(values.encode([who.$object[1].born], "x"), '[{"$date":"1815-12-10"}]');
  assert.equal(values.encode({ ...who.$object[1].born }, "x"), '{"$dict":[["$date","1815-12-10"]]}');
  const [one, other] = values.decode(values.parseJson('{"$deque":[[1],{"$ref":2}]}')).$deque;
  assert.equal(one, other);
  assert.equal(values.encode([one, other], "x"), "[[1],[1]]"); // parts that were shared are two
  assert.throws(() => {
    who.$object[1].born.$date = "1815-12-11";
  }, TypeError);
  const ring = values.decode(values.parseJson('{"$deque":[null,[{"$ref":0}]]}'));
  assert.throws(() => values.encode(ring, "x"), { code: "checkpoint", message: /refers to what it is in/ });
});

test("dates and bytes are written as Python writes them", () => {
  const dates = [
    "2024-01-02T03:04:05Z",
    "2024-01-02T03:04:05.678Z",
    "0001-01-01T00:00:00.001Z",
    "9999-12-31T23:59:59Z",
  ];
  const sent = [...dates.map((iso) => new Date(iso)), new Uint8Array([0, 255, 1]), new Uint8Array(150_000)];
  const texts = sent.map((value) => values.encode({ value }, "x"));
  const read = python(
    `from weft_core.resume.values import Registry, ValueCodec
codec = ValueCodec(Registry())
values = [codec.decode(text) for text in told]
print(json.dumps([[codec.encode(value), repr(value)[:1_000]] for value in values]))`,
    texts,
  );
  assert.deepEqual(
    read.map(([text]) => text),
    texts,
  );
  assert.match(read[1][1], /datetime\(2024, 1, 2, 3, 4, 5, 678000, tzinfo=datetime.timezone.utc\)/);
  assert.match(read[4][1], /b'\\x00\\xff\\x01'/);
});

test("a text that Python tells by code points comes out right", () => {
  const { decode, parseJson } = values;
  assert.equal(decode(parseJson('{"$str":[55357,56832,32,128512]}')), "\u{1f600} \u{1f600}");
});

test("values may be nested as deep as in Python, and no deeper", () => {
  const nested = (depth, wrap, innermost) => (depth === 0 ? innermost : wrap(nested(depth - 1, wrap, innermost)));
  const wraps = [(x) => [x], (x) => ({ a: x }), (x) => ({ $a: x })];
  const deepest = wraps.flatMap((wrap) => [
    values.encode(nested(values.DEPTH_MAX, wrap, 1), "x"),
    values.encode(nested(values.DEPTH_MAX - 1, wrap, {}), "x"),
  ]);
  const { limit, again, deeper } = python(
    `from weft_core.errors import CheckpointError
from weft_core.resume.values import DEPTH_MAX, Registry, ValueCodec
codec = ValueCodec(Registry())
def answer(value):
    try:
        return codec.encode(value)
    except CheckpointError:
        return "refused"
read = [codec.decode(text) for text in told]
print(json.dumps({"limit": DEPTH_MAX, "again": [answer(x) for x in read], "deeper": [answer([x]) for x in read]}))`,
    deepest,
  );
  assert.equal(values.DEPTH_MAX, limit);
  assert.deepEqual(again, deepest);
  assert.deepEqual(new Set(deeper), new Set(["refused"]));
  for (const wrap of wraps) {
    for (const tooDeep of [nested(limit + 1, wrap, 1), nested(limit, wrap, {}), nested(limit, wrap, [])]) {
      assert.throws(
        () => values.encode(tooDeep, "the signal"),
        ({ code, message }) =>
          code === "checkpoint" &&
          /^the signal.*….* is nested more than 100 deep; flatten it$/.test(message) &&
          message.length < 200,
      );
    }
  }
});

test("a stored node goes back however deep: its text is deeper than its value", () => {
  const text = python(
    `from collections import deque
from weft_core.resume.values import Registry, ValueCodec
value = 1
for _ in range(told):
    value = deque([value])
print(json.dumps(ValueCodec(Registry()).encode(value)))`,
    values.DEPTH_MAX - 1,
  );
  assert.equal(values.encode([values.decode(values.parseJson(text))], "x"), `[${text}]`);
});

test("floats that are no numbers stay so both ways", () => {
  const text = '[{"$float":"nan"},{"$float":"inf"},{"$float":"-inf"}]';
  const read = values.decode(values.parseJson(text));
  assert.deepEqual(read, [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  assert.equal(values.encode(read, "x"), text);
});

test("a zero below zero stays one both ways", () => {
  const text = values.encode([-0, { n: -0, "-0": "-0" }, 0], "x");
  assert.equal(text, '[-0.0,{"n":-0.0,"-0":"-0"},0]');
  const again = python(
    `from weft_core.resume.values import Registry, ValueCodec
codec = ValueCodec(Registry())
print(json.dumps(codec.encode(codec.decode(told))))`,
    text,
  );
  assert.equal(again, text);
  const [zero, { n }, plain] = values.decode(values.parseJson(again));
  assert.ok(Object.is(zero, -0) && Object.is(n, -0) && Object.is(plain, 0));
});

test("a value that cannot be looked at is refused like any other", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const riddle = {
    get a() {
      throw new Error("not today");
    },
  };
  for (const value of [[proxy], riddle]) {
    assert.throws(() => values.encode(value, "x"), { code: "checkpoint", name: "WeftError", message: /^x cannot be/ });
  }
});

test("integers keep their digits both ways", () => {
  const { decode, encode, parseJson } = values;
  const whole = [0n, 5n, -7n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n) - 1n, 2n ** 64n, -(10n ** 40n), 2n ** 9_000n];
  const texts = whole.map((n) => encode({ n, near: [n, "1234567890123456789"] }, "x"));
  const written = python(
    `from weft_core.resume.values import Registry, ValueCodec
codec = ValueCodec(Registry())
values = [codec.decode(text) for text in told]
assert all(value["n"] == value["near"][0] and type(value["n"]) is int for value in values)
print(json.dumps([[codec.encode(value), hex(value["n"])] for value in values]))`,
    texts,
  );
  for (const [i, [text, hex]] of written.entries()) {
    const n = hex.startsWith("-") ? -BigInt(hex.slice(1)) : BigInt(hex);
    assert.equal(n, whole[i]);
    const exact = Number.isSafeInteger(Number(n)) ? Number(n) : n;
    assert.deepEqual(decode(parseJson(text)), { n: exact, near: [exact, "1234567890123456789"] });
    assert.deepEqual(decode(parseJson(texts[i])), decode(parseJson(text)));
  }
  const spaced =
    '[ 12345678901234567890 ,{"a":"[1234567890123456789]", "b" : -12345678901234567890\n},0.1234567890123456,1e22]';
  assert.deepEqual(parseJson(spaced), [
    12345678901234567890n,
    { a: "[1234567890123456789]", b: -12345678901234567890n },
    0.1234567890123456,
    1e22,
  ]);
  assert.equal(parseJson("12345678901234567890"), 12345678901234567890n);
  const shared = '[{"10":[12345678901234567890],"2":{"$ref":1}},12345678901234567891]';
  const [first, last] = decode(parseJson(shared));
  assert.deepEqual(first["10"], [12345678901234567890n]);
  assert.equal(last, 12345678901234567891n);
});

test("shared and cyclic parts come back shared, also where keys look like integers", async () => {
  const { decode, parseJson } = values;
  const [shared, cyclic, inside, tuples] = python(
    `from weft_core.resume.values import Registry, ValueCodec
codec = ValueCodec(Registry())
leaf, other = [1], {"x": "2"}
shared = {"b": other, "10": [leaf, "a\\"{[,"], "2": leaf, "deep": {"7": [other], "1": leaf}}
cyclic = {}
cyclic["5"], cyclic["a"] = cyclic, [cyclic, {"1": leaf, "0": cyclic}]
inside = {(1,): leaf}
inside["self"] = inside
pair = (leaf, {"3": leaf})
print(json.dumps([codec.encode(x) for x in (shared, cyclic, inside, [pair, {"9": pair, "1": {leaf[0]}}])]))`,
    null,
  );
  const one = decode(parseJson(shared));
  assert.deepEqual(one, { b: { x: "2" }, 10: [[1], 'a"{[,'], 2: [1], deep: { 7: [{ x: "2" }], 1: [1] } });
  assert.equal(one["2"], one["10"][0]);
  assert.equal(one.deep["1"], one["2"]);
  assert.equal(one.deep["7"][0], one.b);
  const two = decode(parseJson(cyclic));
  assert.equal(two["5"], two);
  assert.equal(two.a[0], two);
  assert.equal(two.a[1]["0"], two);
  assert.deepEqual(two.a[1]["1"], [1]);
  const three = decode(parseJson(inside));
  assert.equal(three.get("self"), three);
  const four = decode(parseJson(tuples));
  assert.equal(four[1]["9"], four[0]);
  assert.equal(four[0][1]["3"], four[0][0]);
  assert.deepEqual(four[1]["1"], new Set([1]));
  // The same inside a larger document, as a result stands in its run's record.
  const record = parseJson(`{"id":"r","7":[],"result":${shared}}`);
  const result = decode(record.result);
  assert.equal(result.deep["7"][0], result.b);
});
