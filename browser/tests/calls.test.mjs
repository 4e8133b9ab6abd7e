// What a page answers a worker whose workflow has called an activity.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { Calls } = await load("page/calls.ts");

/** The answer to a call of an activity that throws this. */
async function answered(thrown) {
  const answers = [];
  const activity = () => {
    throw thrown;
  };
  const calls = new Calls({ activity }, (message) => answers.push(message));
  await calls.carryOut({ type: "call", call: 1, activity: "activity", args: "[]", runId: "r", key: "k", attempt: 1 });
  assert.equal(answers.length, 1);
  return answers[0];
}

test("an error is final when it says so with `non_retryable: true`, and only then", async () => {
  const declined = Object.assign(new TypeError("declined"), { non_retryable: true });
  assert.deepEqual(await answered(declined), {
    type: "threw",
    call: 1,
    name: "TypeError",
    message: "declined",
    final: true,
  });
  assert.equal((await answered({ non_retryable: true })).final, true);
  for (const thrown of [new Error("busy"), Object.assign(new Error("busy"), { non_retryable: "yes" }), null, "busy"]) {
    assert.equal((await answered(thrown)).final, false);
  }
});
