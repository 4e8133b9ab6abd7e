/** The local variables of the frame at which the run waits, as they stand in the checkpoint. */

import { make } from "./dom.js";

const PREVIEW_MAX = 160;

/** Rewrite the table; variables whose value changed since the last time are marked. Returns what to compare with next. */
export function showVariables(
  body: HTMLElement,
  locals: Readonly<Record<string, unknown>>,
  before: ReadonlyMap<string, string>,
): Map<string, string> {
  const now = new Map<string, string>();
  const rows = Object.entries(locals).map(([name, value]) => {
    const { kind, preview } = describe(value);
    now.set(name, preview);
    const changed = before.size > 0 && before.get(name) !== preview;
    return make("tr", changed ? "changed" : "", make("td", "", name), make("td", "", kind), make("td", "", preview));
  });
  body.replaceChildren(...rows);
  return now;
}

function describe(value: unknown): { kind: string; preview: string } {
  if (value === null) return { kind: "", preview: "None" };
  if (typeof value === "string") return { kind: "str", preview: cut(JSON.stringify(value)) };
  if (typeof value === "boolean") return { kind: "bool", preview: value ? "True" : "False" };
  if (typeof value === "number") return { kind: Number.isInteger(value) ? "int" : "float", preview: String(value) };
  if (Array.isArray(value)) return { kind: `list · ${value.length}`, preview: cut(JSON.stringify(value)) };
  if (typeof value === "object") {
    const entries = Object.entries(value);
    const tag = entries.find(([key]) => key.startsWith("$"));
    if (tag) return { kind: tag[0].slice(1), preview: cut(plain(tag[1])) };
    return { kind: `dict · ${entries.length}`, preview: cut(JSON.stringify(value)) };
  }
  return { kind: typeof value, preview: cut(String(value)) };
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function cut(text: string): string {
  return text.length > PREVIEW_MAX ? `${text.slice(0, PREVIEW_MAX)}…` : text;
}
