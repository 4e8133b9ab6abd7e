/**
 * Which row stands under which key: the layout of `weft_core/store/keys.py`, as far as a page needs it.
 * A test compares the two.
 */

import { WeftError } from "./errors.js";
import { shownShort } from "./shown.js";

const INBOX_DIGITS = 12;
const DUE_DIGITS = 15;
/** Characters in one quoted component, so that a key holds two of them. */
export const COMPONENT_LENGTH_MAX = 1_200;
/** Characters (not UTF-16 units) in a run id; see `checkRunId`. */
export const RUN_ID_LENGTH_MAX = 200;
const PLAIN = /^[A-Za-z0-9._:@=+,-]+$/;
const PLAIN_BYTE = /[A-Za-z0-9._:@=+,-]/;

/**
 * One key component: ASCII letters, digits and `._:@=+,-` stay, all else becomes `%XX` per UTF-8 byte; empty is `~`.
 * Throws `limit_exceeded` when that is longer than COMPONENT_LENGTH_MAX.
 */
export function quote(text: string): string {
  const quoted = quotedFully(text);
  if (quoted.length > COMPONENT_LENGTH_MAX) throw new WeftError("limit_exceeded", tooLong("an id", text));
  return quoted;
}

function quotedFully(text: string): string {
  if (text === "") return "~";
  if (PLAIN.test(text)) return text;
  let quoted = "";
  for (const byte of utf8(text)) {
    const char = String.fromCharCode(byte);
    quoted += byte < 128 && PLAIN_BYTE.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return quoted;
}

/** How many characters `quote` makes of a text, also of one that it refuses. */
export function quotedLength(text: string): number {
  return quotedFully(text).length;
}

/** Why a text does not fit into a key, for people. */
export function tooLong(what: string, text: string): string {
  return (
    `${what} is too long for a key: ${JSON.stringify([...text].slice(0, 30).join(""))}… takes ${quotedLength(text)} of ` +
    `at most ${COMPONENT_LENGTH_MAX} characters, because all but ASCII letters, digits and ._:@=+,- are written as ` +
    "three for each byte of UTF-8; choose a shorter one"
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
  if (quotedLength(id) > COMPONENT_LENGTH_MAX) {
    throw new WeftError("declaration", tooLong("the run id", id));
  }
  return id;
}

/** The id itself when a signal may have it: a text that fits into a key, quoted. */
export function checkSignalId(id: string): string {
  if (typeof id !== "string") {
    throw new WeftError("declaration", `the id of a signal must be a text, not ${shownShort(id)}`);
  }
  if (quotedLength(id) > COMPONENT_LENGTH_MAX) {
    throw new WeftError("declaration", tooLong("the signal's id", id));
  }
  return id;
}

/** The text that `quote` was given. */
export function unquote(component: string): string {
  if (component === "~") return "";
  if (!component.includes("%")) return component;
  return component.replace(/(?:%[0-9A-F]{2})+/g, (run) => {
    const bytes = Uint8Array.from(run.slice(1).split("%"), (hex) => Number.parseInt(hex, 16));
    return fromUtf8(bytes);
  });
}

/** UTF-8 in which a lone surrogate is three bytes of its own, as Python's `surrogatepass` writes it. */
function utf8(text: string): number[] {
  const bytes: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else {
      bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    }
  }
  return bytes;
}

function fromUtf8(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    let code = length === 1 ? first : first & (0xff >> (length + 1));
    for (let k = 1; k < length; k++) code = (code << 6) | ((bytes[i + k] ?? 0) & 63);
    text += String.fromCodePoint(code);
    i += length;
  }
  return text;
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
