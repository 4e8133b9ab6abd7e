// What a page is told of a run that failed with an exception of Python.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load, python } from "./load.mjs";

const { readOutcome } = await load("page/runs.ts");

/** What is thrown for a run whose record holds this error, a text of `ValueCodec.encode_error`. */
function failure(text) {
  const value = `{"id":"r","workflow":"w","version":"1","status":"failed","input":null,"created_at":5,"error":${text}}`;
  return readOutcome({ row: async () => ({ value, version: 1 }) }, "r").catch((error) => error);
}

test("a failed run tells the traceback that Python prints, its notes, and what it was raised from", async () => {
  const [text, printed, cause] = python(
    `import linecache, re, traceback
from weft_core.resume.values import Registry, ValueCodec
source = '''
class OutOfStock(Exception):
    pass

def take(name):
    try:
        {}[name]
    except KeyError as missing:
        error = OutOfStock(name)
        error.add_note("ask \\\\U0001f600 again")
        raise error from missing
'''
linecache.cache["/app/shop.py"] = (len(source), None, source.splitlines(True), "/app/shop.py")
space = {"__name__": "__main__"}
exec(compile(source, "/app/shop.py", "exec"), space)
def printed(error):
    lines = "".join(traceback.format_exception(error, chain=False)).splitlines(True)
    return "".join(line for line in lines if not re.fullmatch(r"[ ~^]+\\n", line))
try:
    space["take"]("tea")
except Exception as error:
    texts = [ValueCodec(Registry()).encode_error(error), printed(error), printed(error.__cause__)]
print(json.dumps(texts))`,
    null,
  );
  const error = await failure(text);
  assert.equal(error.message, "run r failed: OutOfStock: tea");
  const { name, code, type, detail, traceback } = error;
  assert.deepEqual(
    { name, code, type, detail },
    { name: "RunFailed", code: "run_failed", type: "OutOfStock", detail: "tea" },
  );
  assert.equal(traceback, printed);
  assert.match(
    traceback,
    /^Traceback [\s\S]*\n {2}File "\/app\/shop.py", line 11, in take\n {4}raise error from missing\n/,
  );
  assert.equal(error.cause.stack, cause);
  assert.deepEqual([error.cause.name, error.cause.message], ["KeyError", "'tea'"]);
  assert.ok(!("cause" in error.cause));
});

test("errors of the engine and of JavaScript are told by their class; a chain may be a circle", async () => {
  const [circle, hidden] = python(
    `from weft_core.errors import ActivityError
from weft_core.resume.values import Registry, ValueCodec
first, second, hidden = ActivityError("TypeError: not today"), ValueError(chr(0xD83D) + chr(0xDE00)), KeyError()
first.__context__, second.__context__ = second, first
first.extra = {"10": [first], "2": second}
hidden.__context__, hidden.__suppress_context__ = first, True
print(json.dumps([ValueCodec(Registry()).encode_error(error) for error in (first, hidden)]))`,
    null,
  );
  const first = await failure(circle);
  assert.deepEqual([first.type, first.detail], ["ActivityError", "TypeError: not today"]);
  assert.deepEqual([first.cause.name, first.cause.message], ["ValueError", "\u{1f600}"]);
  assert.equal(first.cause.cause.message, first.detail);
  assert.equal(first.cause.cause.cause, first.cause);
  const last = await failure(hidden);
  assert.deepEqual([last.traceback, "cause" in last], ["KeyError\n", false]);
  assert.equal(
    (await failure('{"type":"TypeError","message":"x is undefined"}')).traceback,
    "TypeError: x is undefined\n",
  );
  assert.equal((await failure("null")).type, "Exception");
});
