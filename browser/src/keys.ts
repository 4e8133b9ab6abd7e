/**
 * Which row stands under which key: the layout of `weft_core/store/keys.py`, as far as a page needs it.
 * A test compares the two.
 */

import { type ErrorCode, WeftError } from "./errors.js";
import { shownShort } from "./shown.js";

const INBOX_DIGITS = 12;
const DUE_DIGITS = 15;
/** Characters in one quoted component, so that a key holds two of them. */
export const COMPONENT_LENGTH_MAX = 1_200;
/** Characters (not UTF-16 units) in a run id; see `checkRunId`. */
export const RUN_ID_LENGTH_MAX = 200;
const NOT_PLAIN = /[^A-Za-z0-9._:@=+,-]/gu;
/** A lone surrogate: three bytes of its own, as Python's `surrogatepass` writes it. */
const SURROGATE = /%ED%([AB].)%(..)/g;

/**
 * One key component: ASCII letters, digits and `._:@=+,-` stay, all else becomes `%XX` per UTF-8 byte; empty is `~`.
 * Throws `limit_exceeded` when that is longer than COMPONENT_LENGTH_MAX.
 */
export function quote(text: string): string {
  return fitting("an id", text, "limit_exceeded");
}

function quotedFully(text: string): string {
  return text === "" ? "~" : text.replace(NOT_PLAIN, (char) => utf8(char).map(hex).join(""));
}

const hex = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;

function utf8(char: string): number[] {
  const code = char.charCodeAt(0);
  if (char.length > 1 || code >> 11 !== 0x1b) return [...new TextEncoder().encode(char)];
  return [0xed, 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
}

/** How many characters `quote` makes of a text, also of one that it refuses. */
export function quotedLength(text: string): number {
  return quotedFully(text).length;
}

/** The quoted text, or an error that says why it does not fit into a key. */
function fitting(what: string, text: string, code: ErrorCode): string {
  const quoted = quotedFully(text);
  if (quoted.length <= COMPONENT_LENGTH_MAX) return quoted;
  throw new WeftError(
    code,
    `${what} is too long for a key: ${JSON.stringify([...text].slice(0, 30).join(""))}… takes ${quoted.length} of ` +
      `at most ${COMPONENT_LENGTH_MAX} characters: all but ASCII letters, digits and ._:@=+,- take three for each byte of ` +
      "UTF-8; choose a shorter one",
  );
}

/** The id itself when a run may have it: 1 to RUN_ID_LENGTH_MAX characters that fit into a key, quoted. As in Python. */
export function checkRunId(id: string): string {
  const length = typeof id === "string" ? [...id].length : 0;
  if (length < 1 || length > RUN_ID_LENGTH_MAX) {
    const told = typeof id === "string" ? length : shownShort(id);
    const message = `a run id must be a text of 1 to ${RUN_ID_LENGTH_MAX} characters, not ${told}`;
    throw new WeftError("declaration", message);
  }
  fitting("the run id", id, "declaration");
  return id;
}

/** The id itself when a signal may have it: a text that fits into a key, quoted. */
export function checkSignalId(id: string): string {
  if (typeof id !== "string") {
    throw new WeftError("declaration", `the id of a signal must be a text, not ${shownShort(id)}`);
  }
  fitting("the signal's id", id, "declaration");
  return id;
}

/** The text that `quote` was given; a component that it never made, as it is: one damaged key hides no other. */
export function unquote(component: string): string {
  if (component === "~") return "";
  const byte = (digits: string) => Number.parseInt(digits, 16) & 63;
  try {
    return decodeURIComponent(
      component.replace(SURROGATE, (_, high: string, low: string) =>
        String.fromCharCode(0xd000 | (byte(high) << 6) | byte(low)),
      ),
    );
  } catch {
    return component;
  }
}

/** The first key after every key that starts with `prefix` (which ends in `/`). */
export function prefixEnd(prefix: string): string {
  return `${prefix.slice(0, -1)}0`;
}

/** The start of a scan that begins just behind `key`. */
export function after(key: string): string {
  return `${key} `;
}

export const run = (runId: string): string => `run/${quote(runId)}`;
export const fibers = (runId: string): string => `fiber/${quote(runId)}/`;
export const state = (runId: string): string => `state/${quote(runId)}`;
export const values = (runId: string): string => `value/${quote(runId)}/`;
export const seq = (runId: string): string => `seq/${quote(runId)}`;
export const inboxes = (runId: string): string => `inbox/${quote(runId)}/`;
export const inbox = (runId: string, n: number): string => inboxes(runId) + String(n).padStart(INBOX_DIGITS, "0");
export const seen = (runId: string, signalId: string): string => `seen/${quote(runId)}/${quote(signalId)}`;
export const seens = (runId: string): string => `seen/${quote(runId)}/`;
export const ready = (runId: string): string => `ready/${quote(runId)}`;
export const timer = (due: number, runId: string, fiberId: string): string => {
  const sign = due < 0 ? "-" : "";
  const digits = String(Math.abs(due)).padStart(DUE_DIGITS - sign.length, "0");
  return `timer/${sign}${digits}/${quote(runId)}/${quote(fiberId)}`;
};
export const histories = (runId: string): string => `history/${quote(runId)}/`;
export const unit = (digest: string): string => `unit/${digest}`;
