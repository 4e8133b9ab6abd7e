/** What the run did, drawn over time, with the spans in which no engine was there to do anything. */

import type { HistoryRow } from "weft-browser";
import { type Doing, errorText } from "./doing.js";
import { make } from "./dom.js";
import type { Outage } from "./outages.js";

export type Kind = "lookup" | "write" | "sleep" | "wait" | "retry" | "down";

/** One bar. Instants are milliseconds since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly kind: Kind;
  readonly title: string;
}

/** Shorter than this many milliseconds, what is left of a bar beside an outage is no bar. */
const SLIVER_MS = 1;

const activityKind = (name: unknown): Kind => (name === "look_up" ? "lookup" : "write");

/** What the time before this entry was spent on; null when it is not drawn. */
function spentOn(row: HistoryRow): Kind | null {
  switch (row.kind) {
    case "activity_completed":
      return Number(row["attempt"] ?? 1) > 1 ? "retry" : activityKind(row["name"]);
    case "activity_retried":
    case "activity_failed":
      return "retry";
    case "slept":
      return "sleep";
    case "signal_received":
      return "wait";
    default:
      return null;
  }
}

function spendingOn(doing: Doing): Kind | null {
  switch (doing.kind) {
    case "ended":
    case "computing":
      return null;
    case "interrupted":
      return spendingOn(doing.work); // up to the outage, which cuts it off
    case "sleeping":
      return "sleep";
    case "awaiting":
      return "wait";
    case "acting":
      return activityKind(doing.activity);
    case "retrying":
      return "retry";
    default:
      return doing satisfies never;
  }
}

function titleOf(row: HistoryRow, since: number): string {
  const error = errorText(row);
  const what = `${row.kind.replaceAll("_", " ")} ${String(row["name"] ?? "")}`.trim();
  return `${what}${error ? `: ${error}` : ""} · ${row.at - since} ms`;
}

/** The bars from the run's first entry to `end`, in order; no bar of work overlaps an outage. */
export function spansOf(
  rows: readonly HistoryRow[],
  outages: readonly Outage[],
  doing: Doing,
  end: number,
): readonly Span[] {
  const first = rows[0];
  if (!first) return [];
  const down = outages
    .map(({ from, to }): Span => ({ from: Math.max(from, first.at), to: to ?? end, kind: "down", title: "no engine" }))
    .filter(({ from, to }) => to > from);
  const work: Span[] = [];
  let previous = first.at;
  for (const row of rows.slice(1)) {
    const kind = spentOn(row);
    if (kind) work.push({ from: previous, to: row.at, kind, title: titleOf(row, previous) });
    previous = row.at;
  }
  const open = spendingOn(doing);
  const unknown = doing.kind === "interrupted" && !outages.some(({ to }) => to === undefined);
  if (open && !unknown) work.push({ from: previous, to: end, kind: open, title: "now" });
  return [...work.flatMap((span) => without(span, down)), ...down].sort((a, b) => a.from - b.from);
}

/** What is left of a bar where nothing was done for want of an engine. */
function without(span: Span, down: readonly Span[]): readonly Span[] {
  let left = [span];
  for (const { from, to } of down) {
    left = left.flatMap((part) => [
      { ...part, to: Math.min(part.to, from) },
      { ...part, from: Math.max(part.from, to) },
    ]);
    left = left.filter((part) => part.to - part.from >= SLIVER_MS);
  }
  return left;
}

/** Draw the bars; the width of the box is the time from `begin` to `end`. */
export function drawTimeline(box: HTMLElement, spans: readonly Span[], begin: number, end: number): void {
  const scale = 100 / Math.max(end - begin, 1);
  box.replaceChildren(
    ...spans.map((span) => {
      const bar = make("span", `k-${span.kind}`);
      bar.title = span.title;
      bar.style.left = `${(span.from - begin) * scale}%`;
      bar.style.width = `${Math.max((span.to - span.from) * scale - 0.08, 0.08)}%`;
      return bar;
    }),
  );
}
