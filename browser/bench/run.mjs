// Durable steps in headless Chromium beside the raw IndexedDB loop, in one session, interleaved, on a profile on disk.
// Prints medians and spreads, and the median of the ratios of neighbours: a machine that is shared changes its speed from one
// second to the next. `--json` prints one JSON document instead.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { root } from "../scripts/paths.mjs";
import { serve } from "../scripts/serve.mjs";
import { buildSite, site } from "../scripts/site.mjs";

const ROUNDS = 11;
const COMMITS = 150;
const STEPS = 150;
const RUNS = 100;
const STEPS_EACH = 10;
const FLAGS = ["--disable-gpu", "--no-first-run", "--disable-background-networking"];
if (process.getuid?.() === 0) FLAGS.push("--no-sandbox");

const sorted = (values) => [...values].sort((a, b) => a - b);
const median = (values) => sorted(values)[values.length >> 1];
const summary = (values) => ({ median: median(values), least: Math.min(...values), most: Math.max(...values) });

async function measure(durability, page) {
  const boot = await page.evaluate((d) => boot(d), durability);
  const rows = { raw: [], sequential: [], batched: [], concurrent: [] };
  const alone = [];
  for (let round = 0; round < ROUNDS; round++) {
    rows.raw.push((await page.evaluate((o) => raw(o), { durability, commits: COMMITS, puts: 2 })).rate);
    rows.sequential.push((await page.evaluate((o) => engine(o), { runs: 1, count: STEPS })).rate);
    alone.push(await page.evaluate((o) => startAlone(o), { durability, times: 50 }));
    const batched = { durability, commits: 20, puts: 2 * RUNS };
    rows.batched.push(RUNS * (await page.evaluate((o) => raw(o), batched)).rate);
    rows.concurrent.push((await page.evaluate((o) => engine(o), { runs: RUNS, count: STEPS_EACH })).rate);
  }
  const start = await page.evaluate((n) => startLatency(n), 50);
  return {
    durability,
    boot_ms: boot,
    start_ms: start,
    start_alone_ms: median(alone),
    raw_ms: 1000 / median(rows.raw),
    ...Object.fromEntries(Object.entries(rows).map(([name, values]) => [name, summary(values)])),
    sequential_ratio: summary(rows.sequential.map((rate, round) => rate / rows.raw[round])),
    concurrent_ratio: summary(rows.concurrent.map((rate, round) => rate / rows.batched[round])),
  };
}

await buildSite();
const { base, stop } = await serve({ "/": site, "/bench/": join(root, "browser/bench") });
const profile = mkdtempSync(join(tmpdir(), "weft-bench-"));
const executablePath = execFileSync(join(root, "scripts/chromium"), { encoding: "utf8" }).trim();
const context = await chromium.launchPersistentContext(profile, { executablePath, args: FLAGS, headless: true });
const results = [];
try {
  for (const durability of ["strict", "relaxed"]) {
    const page = await context.newPage();
    await page.goto(`${base}/bench/`);
    await page.waitForFunction("window.boot !== undefined");
    results.push(await measure(durability, page));
    await page.close();
  }
} finally {
  await context.close();
  stop();
  rmSync(profile, { recursive: true, force: true });
}

if (process.argv.includes("--json")) {
  console.log(JSON.stringify(results));
} else {
  const rate = ({ median: m, least, most }) =>
    `${Math.round(m).toLocaleString("en")}/s (${Math.round(least)}–${Math.round(most)})`;
  const ratio = ({ median: m, least, most }) => `${m.toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`;
  for (const r of results) {
    console.log(`IndexedDB, ${r.durability}: page to running engine ${(r.boot_ms / 1000).toFixed(2)} s`);
    console.log(
      `  one run        ${rate(r.sequential)} steps, raw loop ${rate(r.raw)} commits: ${ratio(r.sequential_ratio)}`,
    );
    console.log(
      `  ${RUNS} runs       ${rate(r.concurrent)} steps, raw batches ${rate(r.batched)}: ${ratio(r.concurrent_ratio)}`,
    );
    console.log(
      `  start durable  ${r.start_alone_ms.toFixed(1)} ms without an engine, ${r.start_ms.toFixed(1)} ms beside one at work; ` +
        `one raw transaction ${r.raw_ms.toFixed(1)} ms`,
    );
  }
}
