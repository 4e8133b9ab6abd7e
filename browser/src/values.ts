/**
 * Values between JavaScript and the codec's JSON text. Plain data is plain JSON on both sides; what JSON lacks is
 * `{"$tag": …}`, as `weft_core/resume/values` writes it. Python types that JavaScript lacks stay as they are tagged.
 */

import { WeftError } from "./errors.js";
import { ascii } from "./records.js";

const DEPTH_MAX = 200;

/** Codec text of a value. Throws `checkpoint` for what cannot be stored, and says where it stands. */
export function encode(value: unknown, what: string): string {
  return ascii(JSON.stringify(lower(value, what, 0)));
}

function lower(value: unknown, path: string, depth: number): unknown {
  if (depth > DEPTH_MAX) throw new WeftError("checkpoint", `${path} is nested more than ${DEPTH_MAX} deep`);
  switch (typeof value) {
    case "undefined":
      return null;
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { $float: Object.is(value, -0) ? "-0.0" : Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf" };
    case "object":
      break;
    default:
      throw new WeftError("checkpoint", `${path} is a ${typeof value}, which cannot be stored; send plain data`);
  }
  if (value === null) return null;
  if (Array.isArray(value)) return value.map((item, i) => lower(item, `${path}[${i}]`, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const kind = value.constructor?.name ?? "object";
    throw new WeftError("checkpoint", `${path} is a ${kind}, which cannot be stored; send plain data`);
  }
  const lowered: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (key.startsWith("$")) {
      throw new WeftError("checkpoint", `${path}: the key ${JSON.stringify(key)} starts with "$"; rename it`);
    }
    if (item !== undefined) lowered[key] = lower(item, `${path}.${key}`, depth + 1);
  }
  return lowered;
}
