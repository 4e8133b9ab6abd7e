/** What the benchmark calls in the page: a round of the raw loop, a round of the engine. Both on IndexedDB, on disk. */
import { Weft } from "/weft/weft.js";

const open = (durability, options = {}) =>
  Weft.open({
    app: "app:app",
    files: { "app.py": "/bench/app.py" },
    database: `bench-${durability}`,
    durability,
    ...options,
  });

globalThis.boot = async (durability) => {
  const began = performance.now();
  globalThis.it = await open(durability);
  await it.ready;
  return performance.now() - began;
};

/** Transactions a second of two puts of about 400 bytes each, one after the other, in a worker. */
globalThis.raw = (options) =>
  new Promise((resolve, reject) => {
    const worker = new Worker("/bench/raw_worker.js", { type: "module" });
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data);
    };
    worker.postMessage(options);
  });

/** Steps a second of `runs` runs of `count` steps each, from the first begin to the last end. */
globalThis.engine = async ({ runs, count }) => {
  const began = performance.now();
  const handles = await Promise.all(Array.from({ length: runs }, () => it.start("steps", count)));
  await Promise.all(handles.map((run) => run.result()));
  const elapsed = performance.now() - began;
  const records = (await it.list({ limit: 100_000 })).filter((r) => handles.some((run) => run.id === r.id));
  const first = Math.min(...records.map((r) => r.started_at));
  const last = Math.max(...records.map((r) => r.closed_at));
  return { rate: (runs * count * 1000) / Math.max(last - first, 1), elapsed };
};

const latency = async (weft, times) => {
  const spans = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await weft.start("steps", 0);
    spans.push(performance.now() - began);
  }
  return spans.sort((a, b) => a - b)[times >> 1];
};

/** Milliseconds until a start is durable while the engine is busy with those before. */
globalThis.startLatency = (times) => latency(it, times);

/** The same while no engine is loaded anywhere. */
globalThis.startAlone = async ({ durability, times }) => {
  const weft = await open(durability, { database: `bench-alone-${durability}`, engine: false });
  try {
    return await latency(weft, times);
  } finally {
    await weft.close();
  }
};
