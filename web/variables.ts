/** The local variables of the frame at which the run waits, as they stand in the checkpoint. */

import { make } from "./dom.js";

const PREVIEW_MAX = 200;

/** Rewrite the table; variables whose value changed since the last time are marked. Returns what to compare with next. */
export function showVariables(
  body: HTMLElement,
  locals: Readonly<Record<string, unknown>>,
  before: ReadonlyMap<string, string>,
): Map<string, string> {
  const now = new Map<string, string>();
  const rows: HTMLElement[] = [];
  for (const [name, value] of Object.entries(locals)) {
    const { kind, preview } = describe(value);
    if (kind === "live") continue; // `ctx`: not data, made anew by every engine
    now.set(name, preview);
    const changed = before.size > 0 && before.get(name) !== preview;
    rows.push(
      make("tr", changed ? "changed" : "", make("td", "", name), make("td", "", kind), make("td", "", preview)),
    );
  }
  if (rows.length === 0)
    rows.push(make("tr", "", make("td", "none", "None are kept: the run is not waiting anywhere.")));
  body.replaceChildren(...rows);
  return now;
}

function describe(value: unknown): { kind: string; preview: string } {
  if (value === null) return { kind: "", preview: "None" };
  if (typeof value === "string") return { kind: "str", preview: python(value) };
  if (typeof value === "boolean") return { kind: "bool", preview: python(value) };
  if (typeof value === "number") return { kind: Number.isInteger(value) ? "int" : "float", preview: String(value) };
  if (Array.isArray(value)) return { kind: `list · ${value.length}`, preview: python(value) };
  if (typeof value !== "object") return { kind: typeof value, preview: String(value) };
  const entries = Object.entries(value);
  const tag = entries[0]?.[0] ?? "";
  if (tag === "$large")
    return { kind: "large", preview: "stored once, in rows of its own; not rewritten at each step" };
  if (entries.length === 1 && tag.startsWith("$")) return { kind: tag.slice(1), preview: python(entries[0]?.[1]) };
  return { kind: `dict · ${entries.length}`, preview: python(value) };
}

/** A value much as Python would print it, cut where it gets long. */
function python(value: unknown): string {
  const parts: string[] = [];
  let left = PREVIEW_MAX;
  const put = (text: string): boolean => {
    if (left <= 0) return false;
    parts.push(text.length > left ? `${text.slice(0, left)}…` : text);
    left -= text.length;
    return left > 0;
  };
  const write = (item: unknown): boolean => {
    if (item === null || item === undefined) return put("None");
    if (typeof item === "boolean") return put(item ? "True" : "False");
    if (typeof item === "bigint") return put(String(item));
    if (typeof item !== "object") return put(JSON.stringify(item));
    const list = Array.isArray(item);
    if (!put(list ? "[" : "{")) return false;
    let first = true;
    for (const [key, inner] of Object.entries(item)) {
      if (!first && !put(", ")) return false;
      if (!list && !put(`${JSON.stringify(key)}: `)) return false;
      if (!write(inner)) return false;
      first = false;
    }
    return put(list ? "]" : "}");
  };
  write(value);
  return parts.join("");
}
