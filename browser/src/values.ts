/**
 * Values between JavaScript and the codec's JSON text. Plain data is plain JSON on both sides; what JSON lacks is an
 * object with one key that starts with `$`, as `weft_core/resume/values` writes it. Python types that JavaScript has no
 * word for (dates with zones, decimals, classes of the app) stay as they are tagged.
 */

import { NotStorable } from "./errors.js";
import { numbered } from "./json.js";
import { ascii } from "./records.js";
import { shownShort } from "./shown.js";

export { parseJson } from "./json.js";

/** Containers inside one another, in one value: `DEPTH_MAX` of `weft_core/resume/values/limits.py`. A test compares. */
export const DEPTH_MAX = 100;
/** Characters of a place that are shown at each of its ends when it is longer than both. */
const PLACE_END_LENGTH = 60;
/**
 * Stands for a zero below zero, which JSON can say and `JSON.stringify` does not; nobody can have written it. In quotes it
 * is no part of another text: the quotes of those are escaped.
 */
const MINUS_ZERO = `-0 ${crypto.getRandomValues(new Uint32Array(4)).join("-")}`;

/** Codec text of a value. Throws `checkpoint` for what cannot be stored, and says where it stands. */
export function encode(value: unknown, what: string): string {
  let json: string;
  try {
    json = JSON.stringify(lower(value, what, []));
  } catch (cause) {
    if (cause instanceof NotStorable) throw cause;
    // A getter or a proxy of the caller's; or a text that is too long for JavaScript.
    throw new NotStorable(`${what} cannot be written as text: ${shownShort(cause)}`, { cause });
  }
  return ascii(json.replaceAll(`"${MINUS_ZERO}"`, "-0.0"));
}

function refused(place: string, why: string): NotStorable {
  const long = place.length > 2 * PLACE_END_LENGTH;
  return new NotStorable(
    `${long ? `${place.slice(0, PLACE_END_LENGTH)}…${place.slice(-PLACE_END_LENGTH)}` : place} ${why}`,
  );
}

/** `within`: the containers that hold the value, outermost first. */
function lower(value: unknown, path: string, within: readonly object[]): unknown {
  switch (typeof value) {
    case "undefined":
      return null;
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Object.is(value, -0)) return MINUS_ZERO;
      if (Number.isFinite(value)) return value;
      return { $float: Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf" };
    case "bigint":
      return lowerInteger(value);
    case "object":
      break;
    default:
      throw refused(path, `is a ${typeof value}, which cannot be stored; send plain data`);
  }
  if (value === null) return null;
  if (within.includes(value)) throw refused(path, "refers to what it is in; send plain data");
  if (within.length >= DEPTH_MAX) throw refused(path, `is nested more than ${DEPTH_MAX} deep; flatten it`);
  const inside = [...within, value];
  if (Array.isArray(value)) return value.map((item, i) => lower(item, `${path}[${i}]`, inside));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const kind = value.constructor?.name ?? "object";
    throw refused(path, `is a ${kind}, which cannot be stored; send plain data`);
  }
  const items = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]): [string, unknown] => [key, lower(item, `${path}.${key}`, inside)]);
  return items.some(([key]) => key.startsWith("$")) ? { $dict: items } : fromEntries(items);
}

/** An integer as it is written: a number where that is exact. */
export function lowerInteger(value: bigint): unknown {
  if (Number.isSafeInteger(Number(value))) return Number(value);
  return { $int: value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}` };
}

/** `Object.fromEntries`, also for the key `__proto__`. */
function fromEntries(items: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const made: Record<string, unknown> = {};
  for (const [key, value] of items) define(made, key, value);
  return made;
}

function define(made: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
}

/** The value of a codec text parsed by `parseJson`: tags that JavaScript knows become values, shared parts stay shared. */
export function decode(node: unknown): unknown {
  return new Decoder(node).raise(node);
}

class Decoder {
  /** Every array and object in the order they are written: what `$ref` counts. Made when first asked for. */
  #numbered: readonly object[] | undefined;
  readonly #root: unknown;
  readonly #made = new Map<object, unknown>();

  constructor(root: unknown) {
    this.#root = root;
  }

  raise(node: unknown): unknown {
    if (typeof node !== "object" || node === null) return node;
    if (this.#made.has(node)) return this.#made.get(node);
    if (Array.isArray(node)) return this.#list(node, node);
    const entries = Object.entries(node);
    const first = entries[0];
    if (entries.length === 1 && first?.[0].startsWith("$")) return this.#tagged(node, first[0], first[1]);
    const made: Record<string, unknown> = {};
    this.#made.set(node, made);
    for (const [key, item] of entries) define(made, key, this.raise(item));
    return made;
  }

  #list(node: object, items: readonly unknown[]): unknown[] {
    const made: unknown[] = [];
    this.#made.set(node, made);
    for (const item of items) made.push(this.raise(item));
    return made;
  }

  #set(node: object, items: readonly unknown[]): Set<unknown> {
    const made = new Set<unknown>();
    this.#made.set(node, made);
    for (const item of items) made.add(this.raise(item));
    return made;
  }

  /** Keys first: they say what it becomes, and it may hold itself. */
  #dict(node: object, items: readonly [unknown, unknown][]): unknown {
    const keys = items.map(([key]) => this.raise(key));
    if (keys.every((key) => typeof key === "string")) {
      const made: Record<string, unknown> = {};
      this.#made.set(node, made);
      items.forEach(([, item], i) => {
        define(made, String(keys[i]), this.raise(item));
      });
      return made;
    }
    const made = new Map<unknown, unknown>();
    this.#made.set(node, made);
    items.forEach(([, item], i) => {
      made.set(keys[i], this.raise(item));
    });
    return made;
  }

  #tagged(node: object, tag: string, payload: unknown): unknown {
    switch (tag) {
      case "$ref":
        this.#numbered ??= numbered(this.#root);
        return this.raise(this.#numbered[Number(payload)]);
      case "$float":
        return { nan: Number.NaN, inf: Number.POSITIVE_INFINITY, "-inf": Number.NEGATIVE_INFINITY }[String(payload)];
      case "$int": {
        const hex = String(payload);
        return hex.startsWith("-") ? -BigInt(hex.slice(1)) : BigInt(hex);
      }
      case "$str":
        return (payload as number[]).map((code) => String.fromCharCode(code)).join("");
      case "$tuple":
        return Array.isArray(payload) ? this.#list(node, payload) : node;
      case "$set":
      case "$frozenset":
        return Array.isArray(payload) ? this.#set(node, payload) : node;
      case "$dict":
        return Array.isArray(payload) ? this.#dict(node, payload as [unknown, unknown][]) : node;
      default:
        return node;
    }
  }
}
