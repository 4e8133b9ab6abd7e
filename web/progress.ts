/** The bar of batches: one cell a batch, as far as there is room. */

import type { Doing } from "./doing.js";
import { make } from "./dom.js";

const CELLS_MAX = 400;

/** How far an import is, in batches and in rows. */
export interface Progress {
  readonly batches: number;
  readonly batch: number;
  readonly rows: number;
  readonly done: number;
}

/** The class of the cell that is under way: it moves only while an engine does. */
function underWay(doing: Doing): string {
  switch (doing.kind) {
    case "acting":
    case "sleeping":
    case "computing":
      return "now";
    case "retrying":
      return "held";
    case "interrupted":
      return "lost";
    case "awaiting":
    case "ended":
      return "";
    default:
      return doing satisfies never;
  }
}

export function showProgress(bar: HTMLElement, { batches, batch, rows, done }: Progress, doing: Doing): void {
  while (bar.childElementCount < Math.min(batches, CELLS_MAX)) bar.append(make("span", ""));
  const cells = bar.children;
  const full = Math.floor((batch * cells.length) / Math.max(batches, 1));
  for (let i = 0; i < cells.length; i++) {
    const look = i < full ? "done" : i === full ? underWay(doing) : "";
    const cell = cells[i];
    if (cell && cell.className !== look) cell.className = look;
  }
  bar.setAttribute("aria-valuemax", String(batches));
  bar.setAttribute("aria-valuenow", String(batch));
  const text = `${done.toLocaleString("en")} of ${rows.toLocaleString("en")} rows, batch ${batch} of ${batches}`;
  bar.setAttribute("aria-valuetext", text);
}
