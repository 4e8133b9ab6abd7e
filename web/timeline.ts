/** What the run did, drawn over time, with the spans in which no engine was there to do anything. */

import type { HistoryRow } from "weft-browser";
import { make } from "./dom.js";
import type { Outage } from "./outages.js";

interface Span {
  readonly from: number;
  readonly to: number;
  readonly kind: string;
  readonly title: string;
}

function kindOf(row: HistoryRow): string {
  switch (row.kind) {
    case "activity_completed":
      return row["name"] === "look_up" ? "k-lookup" : "k-write";
    case "slept":
      return "k-sleep";
    case "signal_received":
      return "k-wait";
    case "activity_retried":
    case "activity_failed":
      return "k-down";
    default:
      return "";
  }
}

/** Draw; `open` says what the run is waiting for now, null when it has ended. */
export function drawTimeline(
  box: HTMLElement,
  rows: readonly HistoryRow[],
  outages: readonly Outage[],
  open: string | null,
): void {
  const first = rows[0];
  const last = rows.at(-1);
  if (!first || !last) {
    box.replaceChildren();
    return;
  }
  const end = open === null ? last.at : Date.now();
  const begin = first.at;
  const scale = 100 / Math.max(end - begin, 1);
  const spans: Span[] = [];
  let previous = first.at;
  for (const row of rows.slice(1)) {
    const kind = kindOf(row);
    const title = `${row.kind.replaceAll("_", " ")} ${String(row["name"] ?? "")} · ${row.at - previous} ms`;
    if (kind) spans.push({ from: previous, to: row.at, kind, title });
    previous = row.at;
  }
  if (open !== null) spans.push({ from: previous, to: end, kind: open, title: "now" });
  for (const { from, to } of outages) {
    if ((to ?? end) > begin) {
      spans.push({ from: Math.max(from, begin), to: to ?? end, kind: "k-down", title: "no engine was running" });
    }
  }
  box.replaceChildren(
    ...spans.map((span) => {
      const bar = make("span", span.kind);
      bar.title = span.title;
      bar.style.left = `${(span.from - begin) * scale}%`;
      bar.style.width = `${Math.max((span.to - span.from) * scale - 0.08, 0.08)}%`;
      return bar;
    }),
  );
}
