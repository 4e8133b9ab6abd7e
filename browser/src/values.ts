/**
 * Values between JavaScript and the codec's JSON text. Plain data is plain JSON on both sides; what JSON lacks is an
 * object with one key that starts with `$`, as `weft_core/resume/values` writes it. Python types that JavaScript has no
 * word for (dates with zones, decimals, classes of the app) stay as they are tagged, and are written as they were read.
 */

import { NotStorable } from "./errors.js";
import { numbered } from "./json.js";
import { randomName } from "./random.js";
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
const MINUS_ZERO = `-0 ${randomName()}`;

const SENDABLE = "plain data, a Date or a Uint8Array";
/** Parts of decoded values that are as they are stored: only by being the very same are they told from a dict with such keys. */
const stored = new WeakSet<object>();

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
      throw refused(path, `is a ${typeof value}, which cannot be stored; send ${SENDABLE}`);
  }
  if (value === null) return null;
  if (value instanceof Date) return { $datetime: isoFormat(value, path) };
  if (value instanceof Uint8Array) {
    return { $bytes: btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join("")) };
  }
  if (within.includes(value)) throw refused(path, "refers to what it is in; send plain data");
  const asRead = stored.has(value);
  if (within.length >= DEPTH_MAX && !asRead) throw refused(path, `is nested more than ${DEPTH_MAX} deep; flatten it`);
  const inside = [...within, value];
  if (Array.isArray(value)) return value.map((item, i) => lower(item, `${path}[${i}]`, inside));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const kind = value.constructor?.name ?? "object";
    throw refused(path, `is a ${kind}, which cannot be stored; send ${SENDABLE}`);
  }
  const items = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .map(([key, item]): [string, unknown] => [key, lower(item, `${path}.${key}`, inside)]);
  return !asRead && items.some(([key]) => key.startsWith("$")) ? { $dict: items } : fromEntries(items);
}

/** As Python writes the same instant in UTC, of which it knows the years 1 to 9999. */
function isoFormat(date: Date, path: string): string {
  const year = date.getUTCFullYear();
  if (!(year > 0 && year < 10_000)) throw refused(path, "is no date of the years 1 to 9999");
  return date.toISOString().replace("Z", "000+00:00").replace(".000000", "");
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

function define(made: object, key: string, value: unknown): void {
  Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
}

/**
 * The value of a codec text parsed by `parseJson`: tags that JavaScript knows become values, shared parts stay shared. Others
 * are frozen objects, which `encode` writes as they were.
 */
export function decode(node: unknown): unknown {
  return new Decoder(node).raise(node);
}

class Decoder {
  /** Every array and object in the order they are written: what `$ref` counts. Made when first asked for. */
  #numbered: readonly object[] | undefined;
  readonly #root: unknown;
  readonly #made = new Map<object, unknown>();
  readonly #kept = new Map<object, object>();

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

  #target(payload: unknown): unknown {
    this.#numbered ??= numbered(this.#root);
    return this.#numbered[Number(payload)];
  }

  /** The node itself, for `encode` to write: references count in this text only, so what they mean stands in their place. */
  #keep(node: unknown): unknown {
    if (typeof node !== "object" || node === null) return node;
    const known = this.#kept.get(node);
    if (known) return known;
    const entries = Object.entries(node);
    const [first] = entries;
    if (entries.length === 1 && first?.[0] === "$ref") return this.#keep(this.#target(first[1]));
    const kept = Array.isArray(node) ? [] : {};
    this.#kept.set(node, kept);
    stored.add(kept);
    for (const [key, item] of entries) define(kept, key, this.#keep(item));
    return Object.freeze(kept);
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
        return this.raise(this.#target(payload));
      case "$float":
        return Number(String(payload).replace("inf", "Infinity"));
      case "$int": {
        const hex = String(payload);
        return hex.startsWith("-") ? -BigInt(hex.slice(1)) : BigInt(hex);
      }
      case "$str":
        return (payload as number[]).map((code) => String.fromCodePoint(code)).join("");
      case "$tuple":
        if (Array.isArray(payload)) return this.#list(node, payload);
        break;
      case "$set":
      case "$frozenset":
        if (Array.isArray(payload)) return this.#set(node, payload);
        break;
      case "$dict":
        if (Array.isArray(payload)) return this.#dict(node, payload as [unknown, unknown][]);
    }
    return this.#keep(node);
  }
}
