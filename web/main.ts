/** The demo page: import a CSV file durably, watch it advance, kill the engine, go on. */

import { type HistoryRow, type Run, type RunView, Weft, WeftError } from "weft-browser";
import { hasEnded } from "./doing.js";
import { say } from "./dom.js";
import { showEngine } from "./engine_bar.js";
import { listen } from "./intake.js";
import { Outages } from "./outages.js";
import { page } from "./parts.js";
import { clearRun, drawCheckpoint, drawStanding, drawVerdict, type Motor } from "./run_card.js";
import { SourceView } from "./source.js";
import { judge } from "./verdict.js";

const WORKFLOW = "import_airports";
const SOURCE = "import_airports.py";
const REDRAW_MS = 250;

const source = new SourceView(page.source);
const settings = new URLSearchParams(location.search);

/** What is on show: one run, and what was seen of it. */
interface Shown {
  readonly run: Run;
  readonly name: string;
  readonly outages: Outages;
  readonly history: Map<number, HistoryRow>;
  view: RunView | undefined;
  parked: boolean;
  published: boolean;
  stop: () => void;
}

let weft: Weft;
let shown: Shown | undefined;

async function begin(): Promise<void> {
  weft = await Weft.open({ app: "import_airports:app", files: { [SOURCE]: `/${SOURCE}` }, assets: "weft/" });
  showEngine(weft.engine);
  weft.engine.on("change", redraw);
  source.show(await (await fetch(`/${SOURCE}`)).text());
  const runs = await weft.list({ workflow: WORKFLOW });
  const latest = runs.sort((a, b) => b.created_at - a.created_at)[0];
  if (latest) follow(weft.run(latest.id), nameIn(latest.input));
  else page.intake.hidden = false;
  if (weft.storeLost) {
    say(
      page.intakeProblem,
      "The database of your earlier visit is gone, deleted or emptied by the browser: a new one begins.",
    );
  }
  listen(importText, complain);
  setInterval(() => {
    if (shown?.view && !hasEnded(shown.view)) redraw(); // time goes on, whether anything happens or not
  }, REDRAW_MS);
  document.documentElement.dataset["ready"] = "";
}

async function importText(name: string, text: string): Promise<void> {
  const batch_size = Number(settings.get("batch") ?? 100);
  const pause = settings.get("pause") ?? "400ms";
  follow(await weft.start(WORKFLOW, { name, text, batch_size, pause }), name);
  page.title.focus(); // what had the focus is hidden now
}

/** The file's name in the stored arguments of a run. */
function nameIn(input: unknown): string {
  const [args] = Array.isArray(input) ? input : [];
  const [first] = Array.isArray(args) ? args : [];
  const name = typeof first === "object" && first !== null ? (first as Record<string, unknown>)["name"] : undefined;
  return typeof name === "string" ? name : "Import";
}

function complain(error: unknown): void {
  say(shown ? page.problem : page.intakeProblem, error instanceof Error ? error.message : String(error));
  if (!(error instanceof WeftError)) console.error(error);
}

// --- one run ---

function follow(run: Run, name: string): void {
  leave();
  page.intake.hidden = true;
  page.run.hidden = false;
  clearRun(name);
  const next: Shown = {
    run,
    name,
    outages: new Outages(run.id),
    history: new Map(),
    view: undefined,
    parked: false,
    published: false,
    stop: () => {},
  };
  shown = next;
  next.stop = run.on("change", (view) => void changed(next, view).catch(complain), complain);
}

function leave(): void {
  shown?.stop();
  shown?.outages.stop();
  shown = undefined;
}

async function changed(target: Shown, view: RunView): Promise<void> {
  const wasOpen = target.view === undefined || !hasEnded(target.view);
  // What an attempt said is in the history: read first, it is there when the picture says that it is made again.
  for (const row of await target.run.history()) target.history.set(row.n, row);
  await target.outages.loaded;
  if (target !== shown) return;
  target.view = view;
  if (view.problem) say(page.problem, `The run is parked: ${view.problem.message}`);
  else if (target.parked) say(page.problem, "");
  target.parked = view.problem !== null;
  redraw();
  drawCheckpoint(view, source); // after what shows the source: a hidden one cannot be scrolled
  if (hasEnded(view) && wasOpen) {
    const verdict = await judge(target.run, Number(view.state["written"]));
    if (target === shown) drawVerdict(verdict);
  }
}

function motor(): Motor {
  const { phase } = weft.engine.view;
  if (weft.engine.advancing) return "advancing";
  return phase === "booting" || phase === "waiting" ? "coming" : "gone";
}

function redraw(): void {
  if (!shown?.view) return;
  const { name, view, outages, history, published } = shown;
  if (hasEnded(view)) outages.end(view.closedAt?.getTime() ?? Date.now());
  else if (weft.engine.advancing) outages.up();
  else outages.down();
  const rows = [...history.values()].sort((a, b) => a.n - b.n);
  drawStanding({ name, view, rows, outages, published, motor: motor() });
}

page.publish.addEventListener("click", () => {
  if (!shown) return;
  const target = shown;
  target.published = true;
  redraw();
  page.title.focus(); // a disabled button cannot keep it
  target.run.signal("publish", "the page", { id: "publish" }).catch((error: unknown) => {
    target.published = false;
    complain(error);
  });
});
page.again.addEventListener("click", () => {
  leave();
  for (const part of [page.run, page.inside, page.history]) part.hidden = true;
  page.intake.hidden = false;
  page.file.focus();
});

begin().catch(complain);
