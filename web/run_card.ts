/** Draws one run: its card, the line where it stands, its variables and its timeline. */

import type { HistoryRow, RunView } from "weft-browser";
import { attemptText, type Doing, doingOf, hasEnded, phaseText, troubleText, whereText } from "./doing.js";
import { say } from "./dom.js";
import type { Outages } from "./outages.js";
import { page } from "./parts.js";
import { showProgress } from "./progress.js";
import type { SourceView } from "./source.js";
import { drawTimeline, spansOf } from "./timeline.js";
import { showVariables } from "./variables.js";
import type { Verdict } from "./verdict.js";

/** Whether an engine advances runs now; if not, whether one is on its way. */
export type Motor = "advancing" | "coming" | "gone";

/** What is known of the run on show, at one moment. */
export interface Standing {
  /** What the file is called, for as long as the run has not said so itself. */
  readonly name: string;
  readonly view: RunView | undefined;
  readonly rows: readonly HistoryRow[];
  readonly outages: Outages;
  /** Whether the signal to publish was sent from here. */
  readonly published: boolean;
  readonly motor: Motor;
}

const number = (value: unknown) => Number(value ?? 0).toLocaleString("en");

let variables = new Map<string, string>();

/** Before anything is known of a run. */
export function clearRun(name: string): void {
  variables = new Map();
  page.title.textContent = name;
  page.phase.textContent = "";
  page.verdict.replaceChildren();
  for (const part of [page.progress, page.timeline]) part.replaceChildren();
  for (const part of [page.trouble, page.figures, page.progress, page.inside, page.history]) part.hidden = true;
  say(page.problem, "");
}

/** What the checkpoint holds: drawn when it changed. */
export function drawCheckpoint(view: RunView, source: SourceView): void {
  source.mark(view.line);
  variables = showVariables(page.variables, view.locals, variables);
}

/** What goes on: drawn when anything changed, and as time passes. */
export function drawStanding(standing: Standing): void {
  const { name, view, rows, motor } = standing;
  if (!view) return;
  const { state } = view;
  const doing = doingOf(view, rows, motor === "advancing");
  const ended = hasEnded(view);
  const batches = Number(state["batches"] ?? 0);
  // A file that could not be read has no rows, batches or steps to show.
  const refused = ended && batches === 0;

  put(page.title, String(state["file"] ?? name));
  put(page.phase, phaseText(view, doing, motor === "coming"));
  page.run.dataset["status"] = view.status;
  page.publish.disabled = state["phase"] !== "ready to publish" || standing.published;
  page.publish.hidden = ended;
  page.again.hidden = !ended;
  page.again.classList.toggle("primary", ended);
  page.again.textContent = view.status === "failed" ? "Choose another file" : "Import another file";
  for (const part of [page.figures, page.inside, page.history]) part.hidden = refused;
  page.progress.hidden = batches === 0;

  put(page.done, `${number(state["done"])} of ${number(state["rows"])}`);
  put(page.written, number(state["written"]));
  put(page.duplicates, number(state["duplicates"]));
  put(page.rejected, number(state["rejected"]));
  put(page.survived, number(standing.outages.survived));
  const batch = Number(state["batch"] ?? 0);
  showProgress(page.progress, { batches, batch, rows: Number(state["rows"]), done: Number(state["done"] ?? 0) }, doing);

  const where = whereText(doing);
  put(page.codeWhere, view.line === null ? "" : `line ${view.line}${where ? `, ${where}` : ""}`);
  showTrouble(doing);
  showTime(standing, view, doing);
}

function showTrouble(doing: Doing): void {
  page.trouble.hidden = doing.kind !== "retrying";
  put(page.troubleText, doing.kind === "retrying" ? troubleText(doing) : "");
  put(page.troubleAttempt, doing.kind === "retrying" ? attemptText(doing, Date.now()) : "");
}

function showTime({ rows, outages }: Standing, view: RunView, doing: Doing): void {
  const first = rows[0];
  if (!first) return;
  const end = view.closedAt?.getTime() ?? Date.now();
  const spans = spansOf(rows, outages.list, doing, end);
  drawTimeline(page.timeline, spans, first.at, end);
  const note = `${rows.length} entries over ${((end - first.at) / 1000).toFixed(1)} s${first.n > 0 ? ", the latest ones" : ""}`;
  put(page.timelineNote, note);
  const down = spans.filter((span) => span.kind === "down").length;
  const now =
    doing.kind === "ended" ? "ended" : doing.kind === "interrupted" ? "no engine is running" : whereText(doing);
  const without = `${down} ${down === 1 ? "span" : "spans"} without an engine`;
  page.timeline.setAttribute("aria-label", `Timeline: ${note}; ${without}${now ? `; now: ${now}` : ""}`);
}

export function drawVerdict(verdict: Verdict): void {
  if ("bad" in verdict) {
    say(page.problem, verdict.bad);
    return;
  }
  const [statement, more] = verdict.good;
  const strong = document.createElement("strong");
  strong.textContent = statement;
  page.verdict.replaceChildren(strong, more ? ` ${more}` : "");
}

/** Write a text where it is another: a live region is read out at every change. */
function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
