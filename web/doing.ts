/** What a run is doing at this moment, and how the page says it. Decides from facts; draws nothing. */

import type { HistoryRow, RunView } from "weft-browser";

/** An activity whose last attempt failed. `error` is in the words of the error; `retryAt` is null during an attempt. */
export interface Retrying {
  readonly kind: "retrying";
  readonly activity: string;
  readonly attempt: number;
  readonly error: string;
  readonly retryAt: number | null;
}

/** What an engine does for a run, or would go on with. */
export type Work =
  | { readonly kind: "computing" }
  | { readonly kind: "sleeping" }
  | { readonly kind: "awaiting"; readonly signal: string }
  | { readonly kind: "acting"; readonly activity: string }
  | Retrying;

export type Doing = Work | { readonly kind: "interrupted"; readonly work: Work } | { readonly kind: "ended" };

const CLOSED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "terminated", "timed_out", "moved"]);

export const hasEnded = (view: RunView): boolean => CLOSED.has(view.status);

/** `advancing` is whether an engine is there: without one nothing is done, whatever the checkpoint says. */
export function doingOf(view: RunView, rows: readonly HistoryRow[], advancing: boolean): Doing {
  if (hasEnded(view)) return { kind: "ended" };
  const work = workOf(view, rows);
  return advancing ? work : { kind: "interrupted", work };
}

function workOf(view: RunView, rows: readonly HistoryRow[]): Work {
  const wait = view.fibers.find((fiber) => fiber.waitingFor)?.waitingFor ?? {};
  switch (wait["op"]) {
    case "sleep":
      return { kind: "sleeping" };
    case "signal":
      return { kind: "awaiting", signal: String(wait["name"]) };
    case "run": {
      const activity = String(wait["activity"]);
      const attempt = Number(wait["attempt"] ?? 1);
      if (attempt <= 1) return { kind: "acting", activity };
      const retryAt = typeof wait["retry_at"] === "number" ? wait["retry_at"] : null;
      return { kind: "retrying", activity, attempt, error: lastError(rows, activity), retryAt };
    }
    default:
      return { kind: "computing" };
  }
}

/** What the last failed attempt said, without the name of its class: that is for people who read the source. */
function lastError(rows: readonly HistoryRow[], activity: string): string {
  const row = rows.findLast((each) => each.kind === "activity_retried" && each["name"] === activity);
  return errorText(row) || "the error is no longer kept";
}

export function errorText(row: HistoryRow | undefined): string {
  return String(row?.["error"] ?? "").replace(/^\w+: (?=.)/, "");
}

/** The line under the title. `coming` is whether an engine is on its way. */
export function phaseText(view: RunView, doing: Doing, coming: boolean): string {
  const phase = sentence(String(view.state["phase"] ?? ""));
  const when = coming ? "It goes on as soon as Python is there." : "Start the engine, and it goes on.";
  switch (view.status) {
    case "completed":
      return "Published.";
    case "failed":
      return Number(view.state["batches"] ?? 0) > 0
        ? "Stopped with an error."
        : "Not imported: the file cannot be read.";
    case "cancelled":
    case "terminated":
    case "timed_out":
    case "moved":
      return `Ended: ${view.status.replaceAll("_", " ")}.`;
    case "suspended":
      return "Parked.";
    case "pending":
      return `Stored. ${coming ? "It begins as soon as Python is there." : "It begins when an engine is there."}`;
    default:
      if (doing.kind === "interrupted") return `${phase || "Starting"}, but no engine is running. ${when}`;
      if (doing.kind === "retrying") return `${phase}; ${doing.activity} is being retried.`;
      return phase || "Starting";
  }
}

/** Said beside the line at which the run stands. */
export function whereText(doing: Doing): string {
  switch (doing.kind) {
    case "ended":
    case "computing":
      return "";
    case "interrupted":
      return "where it goes on";
    case "sleeping":
      return "sleeping";
    case "awaiting":
      return `waiting for signal “${doing.signal}”`;
    case "acting":
      return `running ${doing.activity}`;
    case "retrying":
      return `retrying ${doing.activity}`;
    default:
      return doing satisfies never;
  }
}

/** What is told while attempts fail: it changes with the error only, so that it is not read out again and again. */
export function troubleText(doing: Retrying): string {
  return `${doing.activity} failed: ${doing.error}. Nothing is lost; it is tried again by itself.`;
}

/** How the attempts stand; changes all the time. */
export function attemptText({ attempt, retryAt }: Retrying, now: number): string {
  const left = retryAt === null ? 0 : Math.ceil((retryAt - now) / 1000);
  return left > 0 ? `Attempt ${attempt} in ${left} s` : `Attempt ${attempt}`;
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
