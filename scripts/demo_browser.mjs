// The browser half of `make demo CHECK=1`: the page in headless Chromium, on a profile on disk. The engine is killed, the
// page closed and the browser killed in the middle of one import; then everything must have arrived exactly once. What
// the page shows while things go wrong is looked at by demo_states.mjs.
// Environment: WEFT_DEMO_URL, WEFT_CHROMIUM, WEFT_DEMO_SHOTS (a folder for screenshots and the profile).
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { checkStates } from "./demo_states.mjs";

const { WEFT_DEMO_URL: url = "", WEFT_CHROMIUM: executablePath = "", WEFT_DEMO_SHOTS: shots = "" } = process.env;
const profile = join(shots, "profile");
const WAIT_MS = 120_000;
const FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
if (process.getuid?.() === 0) FLAGS.push("--no-sandbox");

/** The processes of the browser on our profile, and all their children. */
function browserProcesses() {
  const lines = execFileSync("ps", ["-axww", "-o", "pid=,ppid=,command="], { encoding: "utf8" }).split("\n");
  const all = lines.map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line)).filter((match) => match !== null);
  const ours = new Set(
    all.filter(([, , , command]) => command.includes(`--user-data-dir=${profile}`)).map(([, p]) => p),
  );
  for (let grown = true; grown; ) {
    const children = all.filter(([, pid, parent]) => ours.has(parent) && !ours.has(pid));
    for (const [, pid] of children) ours.add(pid);
    grown = children.length > 0;
  }
  return [...ours].map(Number);
}

let context;
async function openPage(path = "") {
  context ??= await chromium.launchPersistentContext(profile, {
    executablePath,
    args: FLAGS,
    headless: true,
    viewport: { width: 1280, height: 1000 },
  });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on("pageerror", (error) => problems.push(`the page threw: ${error.message}`));
  await page.goto(url + path);
  await page.waitForSelector("html[data-ready]");
  return page;
}

const problems = [];
const say = (good, text) => {
  console.log(`  ${good ? "✓" : "✗"} ${text}`);
  if (!good) problems.push(text);
};
const batch = (page) => page.locator("#progress").getAttribute("aria-valuenow").then(Number);
const reach = (page, count) =>
  page.waitForFunction((n) => Number(document.querySelector("#progress")?.getAttribute("aria-valuenow")) >= n, count);
const serving = (page) => page.waitForSelector("#engine[data-phase=serving]");
const shot = (page, name) => page.screenshot({ path: join(shots, `browser-${name}.png`), fullPage: true });

async function main() {
  rmSync(profile, { recursive: true, force: true });
  mkdirSync(shots, { recursive: true });
  let page = await openPage("?pause=150ms");
  await serving(page);
  await shot(page, "1-choose-a-file");
  const sample = await fetch(new URL("sample.csv", url));
  if (!sample.ok) throw new Error(`the sample file is not served: ${sample.status}`);
  const csv = await sample.text();
  await page.setInputFiles("#file", { name: "airports.csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
  await reach(page, 6);
  await shot(page, "2-importing");

  await page.click("#kill");
  await page.waitForSelector("#engine[data-phase=killed]");
  const killedAt = await batch(page);
  await page.waitForTimeout(600);
  say((await batch(page)) <= killedAt + 1, `the engine was killed at batch ${killedAt}; nothing moved without it`);
  await shot(page, "3-engine-killed");
  await page.click("#kill");
  await reach(page, killedAt + 4);
  say(true, "started again, it went on");

  const closedAt = await batch(page);
  await page.close();
  page = await openPage();
  await reach(page, closedAt + 4);
  say(true, `the page was closed after batch ${closedAt} and opened again; it went on`);

  const crashedAt = await batch(page);
  for (const pid of browserProcesses()) process.kill(pid, "SIGKILL");
  await context.close().catch(() => {});
  context = undefined;
  page = await openPage();
  await shot(page, "4-after-a-crash");
  await reach(page, crashedAt + 1);
  say(true, `the browser was killed with SIGKILL after batch ${crashedAt} and its profile opened again; it went on`);

  await page.waitForSelector("#publish:enabled");
  await shot(page, "5-ready-to-publish");
  await page.click("#publish");
  await page.waitForSelector("#verdict:not(:empty), #run-problem:not([hidden])");
  const verdict = await page.locator("#verdict").textContent();
  const problem = await page.locator("#run-problem").textContent();
  say(Boolean(verdict) && !problem, verdict || problem || "no verdict");
  const survived = Number(await page.locator("#figure-survived").textContent());
  say(survived >= 3, `the page counted ${survived} interruptions`);
  await page.waitForTimeout(400);
  await shot(page, "6-published");
  await page.emulateMedia({ colorScheme: "dark" });
  await shot(page, "7-published-dark");

  await page.close();
  page = await openPage("?pause=150ms");
  await serving(page);
  let number = 8;
  await checkStates(page, { csv, say, shot: (shown, name) => shot(shown, `${number++}-${name}`) });
  await context.close();
}

try {
  await main();
} catch (error) {
  say(false, error instanceof Error ? error.message.split("\n")[0] : String(error));
  for (const page of context?.pages() ?? []) await shot(page, "99-where-it-stopped").catch(() => {});
  await context?.close().catch(() => {});
}
rmSync(profile, { recursive: true, force: true });
process.exitCode = problems.length > 0 ? 1 : 0;
