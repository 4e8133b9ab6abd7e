// When an engine is tried again whose site did not answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { Retries } = await load("page/retries.ts");

test("pauses grow to a minute, and begin anew after a success", ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  let tries = 0;
  const retries = new Retries(() => {
    tries += 1;
  });
  const pauses = [];
  for (let i = 1; i <= 9; i++) {
    const pause = retries.plan();
    pauses.push(pause);
    assert.equal(retries.at.getTime(), Date.now() + pause * 1_000);
    mock.timers.tick(pause * 1_000 - 1);
    assert.equal(tries, i - 1);
    mock.timers.tick(1);
    assert.deepEqual([tries, retries.at], [i, null]);
  }
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  retries.succeeded();
  assert.equal(retries.plan(), 1);
});

test("a hint that the site may be back tries at once, and once; what was given up is not tried", ({ mock }) => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  let tries = 0;
  const retries = new Retries(() => {
    tries += 1;
  });
  retries.hurry();
  assert.equal(tries, 0);
  retries.plan();
  retries.hurry();
  retries.hurry();
  mock.timers.tick(100_000);
  assert.equal(tries, 1);
  retries.plan();
  retries.cancel();
  retries.hurry();
  mock.timers.tick(100_000);
  assert.deepEqual([tries, retries.at], [1, null]);
});
