/** The demo page: import a CSV file durably, watch it advance, kill the engine, go on. */

import { type EngineView, type HistoryRow, type Run, RunFailed, type RunView, Weft, WeftError } from "weft-browser";
import { byId, make, say } from "./dom.js";
import { Outages } from "./outages.js";
import { SourceView } from "./source.js";
import { drawTimeline } from "./timeline.js";
import { showVariables } from "./variables.js";

const WORKFLOW = "import_airports";
const SOURCE = "import_airports.py";
const FILE_BYTES_MAX = 10_000_000;
const CLOSED = ["completed", "failed", "cancelled", "terminated", "timed_out", "moved"];
const REDRAW_MS = 250;

const page = {
  engine: byId("engine", HTMLElement),
  engineText: byId("engine-text", HTMLElement),
  engineProblem: byId("engine-problem", HTMLElement),
  kill: byId("kill", HTMLButtonElement),
  intake: byId("intake", HTMLElement),
  intakeProblem: byId("intake-problem", HTMLElement),
  drop: byId("drop", HTMLElement),
  file: byId("file", HTMLInputElement),
  sample: byId("sample", HTMLButtonElement),
  run: byId("run", HTMLElement),
  title: byId("run-title", HTMLElement),
  phase: byId("run-phase", HTMLElement),
  publish: byId("publish", HTMLButtonElement),
  again: byId("again", HTMLButtonElement),
  progress: byId("progress", HTMLElement),
  problem: byId("run-problem", HTMLElement),
  verdict: byId("verdict", HTMLElement),
  inside: byId("inside", HTMLElement),
  codeWhere: byId("code-where", HTMLElement),
  variables: byId("variables", HTMLElement),
  history: byId("history", HTMLElement),
  timeline: byId("timeline", HTMLElement),
  timelineNote: byId("timeline-note", HTMLElement),
};

const source = new SourceView(byId("source", HTMLElement));
const settings = new URLSearchParams(location.search);

/** What is on show: one run, and what was seen of it. */
interface Shown {
  readonly run: Run;
  readonly outages: Outages;
  readonly history: Map<number, HistoryRow>;
  view: RunView | undefined;
  variables: Map<string, string>;
  stop: () => void;
}

let weft: Weft;
let shown: Shown | undefined;
let killed = false;

async function begin(): Promise<void> {
  weft = await Weft.open({ app: "import_airports:app", files: { [SOURCE]: `/${SOURCE}` }, assets: "weft/" });
  weft.engine.on("change", showEngine);
  source.show(await (await fetch(`/${SOURCE}`)).text());
  const runs = await weft.list({ workflow: WORKFLOW });
  const latest = runs.sort((a, b) => b.created_at - a.created_at)[0];
  if (latest) follow(weft.run(latest.id));
  else page.intake.hidden = false;
  setInterval(redraw, REDRAW_MS);
  document.documentElement.dataset["ready"] = "";
}

// --- the engine ---

const ENGINE_TEXT: Record<EngineView["phase"], string> = {
  waiting: "Waiting for its turn",
  booting: "Starting Python…",
  serving: "Engine running in this tab",
  closed: "Engine stopped",
  failed: "Engine failed",
};

function showEngine(view: EngineView): void {
  const other = view.phase === "waiting" && view.leader === "other";
  page.engine.dataset["phase"] = killed && view.phase === "closed" ? "killed" : other ? "serving" : view.phase;
  page.engineText.textContent = other
    ? "Another tab runs the engine; this one takes over when it ends"
    : killed && view.phase === "closed"
      ? "Engine killed. The checkpoint is safe."
      : ENGINE_TEXT[view.phase];
  page.engineText.title = view.message;
  const gone = view.phase === "closed" || view.phase === "failed";
  page.kill.disabled = view.phase === "waiting";
  page.kill.textContent = gone ? "Start the engine" : "Kill the engine";
  page.kill.classList.toggle("danger", !gone);
  say(page.engineProblem, view.phase === "failed" ? `The engine stopped: ${view.message}` : "");
  trackOutages();
}

/** An outage counts while a run is open; the two ends are told by engine states, or by silence after a crash. */
function trackOutages(): void {
  const open = shown?.view !== undefined && !CLOSED.includes(shown.view.status);
  if (!shown?.view) return;
  if (!open) {
    shown.outages.end();
    return;
  }
  if (weft.engine.advancing) shown.outages.up();
  else shown.outages.down();
}

page.kill.addEventListener("click", () => {
  const phase = weft.engine.view.phase;
  killed = phase !== "closed" && phase !== "failed";
  if (killed) weft.engine.kill();
  else weft.engine.start();
});

// --- choosing a file ---

async function importText(name: string, text: string): Promise<void> {
  say(page.intakeProblem, "");
  const input = {
    name,
    text,
    batch_size: Number(settings.get("batch") ?? 100),
    pause: settings.get("pause") ?? "400ms",
  };
  follow(await weft.start(WORKFLOW, input));
}

async function importFile(file: File | undefined): Promise<void> {
  if (!file) return;
  if (file.size > FILE_BYTES_MAX) {
    say(page.intakeProblem, `${file.name} has ${Math.round(file.size / 1e6)} MB; this demo takes up to 10 MB.`);
    return;
  }
  await importText(file.name, await file.text());
}

function complain(error: unknown): void {
  const python = error instanceof RunFailed ? error.detail : "";
  const message = python || (error instanceof Error ? error.message : String(error));
  say(shown ? page.problem : page.intakeProblem, message);
  if (!(error instanceof WeftError)) console.error(error);
}

page.file.addEventListener("change", () => {
  importFile(page.file.files?.[0]).catch(complain);
  page.file.value = "";
});
page.sample.addEventListener("click", async () => {
  try {
    const response = await fetch("/sample.csv");
    if (!response.ok) throw new Error("The sample file is not there; run `make setup`, or choose a file of your own.");
    await importText("airports.csv", await response.text());
  } catch (error) {
    complain(error);
  }
});
for (const kind of ["dragover", "dragleave", "drop"] as const) {
  page.drop.addEventListener(kind, (event) => {
    event.preventDefault();
    page.drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") importFile(event.dataTransfer?.files[0]).catch(complain);
  });
}
for (const kind of ["dragover", "drop"] as const) addEventListener(kind, (event) => event.preventDefault());

// --- one run ---

function follow(run: Run): void {
  shown?.stop();
  shown?.outages.stop();
  page.intake.hidden = true;
  for (const part of [page.run, page.inside, page.history]) part.hidden = false;
  for (const part of [page.problem, page.verdict]) say(part, "");
  page.progress.replaceChildren();
  page.timeline.replaceChildren();
  const next: Shown = {
    run,
    outages: new Outages(run.id),
    history: new Map(),
    view: undefined,
    variables: new Map(),
    stop: () => {},
  };
  shown = next;
  next.stop = run.on("change", (view) => void showRun(next, view).catch(complain), complain);
}

page.publish.addEventListener("click", () => {
  page.publish.disabled = true;
  shown?.run.signal("publish", "the page", { id: "publish" }).catch(complain);
});
page.again.addEventListener("click", () => {
  shown?.stop();
  shown?.outages.stop();
  shown = undefined;
  for (const part of [page.run, page.inside, page.history]) part.hidden = true;
  page.intake.hidden = false;
});

const number = (value: unknown) => Number(value ?? 0).toLocaleString("en");

async function showRun(target: Shown, view: RunView): Promise<void> {
  const wasOpen = target.view === undefined || !CLOSED.includes(target.view.status);
  target.view = view;
  const { state } = view;
  const ended = CLOSED.includes(view.status);
  page.title.textContent = String(state["file"] ?? "Import");
  page.phase.textContent = phaseText(view);
  page.publish.disabled = state["phase"] !== "ready to publish";
  page.publish.hidden = ended;
  page.again.hidden = !ended;
  byId("figure-done", HTMLElement).textContent = `${number(state["done"])} of ${number(state["rows"])}`;
  for (const name of ["written", "duplicates", "rejected"]) {
    byId(`figure-${name}`, HTMLElement).textContent = number(state[name]);
  }
  showProgress(Number(state["batches"] ?? 0), Number(state["batch"] ?? 0), state["phase"] === "importing");
  source.mark(view.line);
  page.codeWhere.textContent = view.line === null ? "" : `line ${view.line}, ${waitText(view)}`;
  target.variables = showVariables(page.variables, view.locals, target.variables);
  if (view.problem) say(page.problem, `The run is parked: ${view.problem.message}`);
  for (const row of await target.run.history()) target.history.set(row.n, row);
  trackOutages();
  redraw();
  if (ended && wasOpen) await showEnd(target);
}

function phaseText(view: RunView): string {
  const phase = String(view.state["phase"] ?? "");
  switch (view.status) {
    case "pending":
      return "Durable. It begins when the engine is there.";
    case "completed":
      return "Published.";
    case "failed":
      return "Stopped with an error.";
    default:
      return phase ? `${phase.charAt(0).toUpperCase()}${phase.slice(1)}` : "Starting";
  }
}

function waitText(view: RunView): string {
  const wait = view.fibers.find((fiber) => fiber.waitingFor)?.waitingFor;
  switch (wait?.["op"]) {
    case "run":
      return `running ${String(wait["activity"])}`;
    case "sleep":
      return "sleeping";
    case "signal":
      return `waiting for signal “${String(wait["name"])}”`;
    default:
      return "";
  }
}

function showProgress(total: number, done: number, importing: boolean): void {
  while (page.progress.childElementCount < Math.min(total, 400)) page.progress.append(make("span", ""));
  const cells = page.progress.children;
  const share = cells.length / Math.max(total, 1);
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i];
    const at = (i + 1) / share;
    if (cell) cell.className = at <= done ? "done" : importing && at <= done + 1 ? "now" : "";
  }
  page.progress.setAttribute("aria-valuemax", String(total));
  page.progress.setAttribute("aria-valuenow", String(done));
}

async function showEnd({ run, view }: Shown): Promise<void> {
  let summary: { readonly top?: { readonly column: string; readonly values: Record<string, number> } };
  try {
    summary = (await run.result()) as typeof summary;
  } catch (error) {
    return complain(error);
  }
  const response = await fetch("/api/database/report", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ run_id: run.id }),
  });
  const report = (await response.json()) as { rows: number; exactly_once: boolean; repeated_deliveries: number };
  const expected = Number(view?.state["written"]);
  const right = report.exactly_once && report.rows === expected;
  const repeats = report.repeated_deliveries;
  const resent =
    repeats === 0 ? "" : ` (${repeats} repeated ${repeats === 1 ? "delivery was" : "deliveries were"} recognised)`;
  say(
    right ? page.verdict : page.problem,
    right
      ? `${number(report.rows)} rows are in the server’s database, each written exactly once${resent}. ${most(summary.top)}`
      : `The database holds ${number(report.rows)} rows where ${number(expected)} were written.`,
  );
}

function most(top: { readonly column?: string; readonly values?: Record<string, number> } | undefined): string {
  const entries = Object.entries(top?.values ?? {});
  return entries.length === 0
    ? ""
    : `Most by ${top?.column}: ${entries.map(([name, n]) => `${name} ${n}`).join(", ")}.`;
}

function redraw(): void {
  if (!shown) return;
  byId("figure-survived", HTMLElement).textContent = number(shown.outages.survived);
  const rows = [...shown.history.values()].sort((a, b) => a.n - b.n);
  drawTimeline(page.timeline, rows, shown.outages.list, openKind(shown.view));
  const first = rows[0];
  const until = shown.view?.closedAt?.getTime() ?? Date.now();
  page.timelineNote.textContent = first
    ? `${rows.length} entries over ${((until - first.at) / 1000).toFixed(1)} s${first.n > 0 ? ", the latest ones" : ""}`
    : "";
}

function openKind(view: RunView | undefined): string | null {
  if (!view || CLOSED.includes(view.status)) return null;
  const wait = view.fibers.find((fiber) => fiber.waitingFor)?.waitingFor;
  if (wait?.["op"] === "sleep") return "k-sleep";
  if (wait?.["op"] === "signal") return "k-wait";
  return wait?.["activity"] === "look_up" ? "k-lookup" : "k-write";
}

begin().catch(complain);
