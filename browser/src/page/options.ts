/**
 * Judging what pages give to the calls of this package, before anything is opened, stored or started. TypeScript says the
 * same; pages written in JavaScript hear of it here.
 */

import { WeftError } from "../errors.js";
import { shownShort } from "../shown.js";

/** The names of all options of one call: an object, so that the compiler finds the one that is missing. */
export type Known<Options> = Readonly<Record<keyof Options, true>>;

/** Throw what should stand there and what does. */
export function refuse(what: string, given: unknown): never {
  throw new WeftError("declaration", `${what}, not ${shownShort(given)}`);
}

/** `given` is an object with no other keys than those `known`. A misspelt option would do nothing, in silence. */
export function checkOptions<Options extends object>(call: string, given: Options, known: Known<Options>): void {
  const names = Object.keys(known);
  if (!isPlain(given)) refuse(`the options of ${call} are an object with any of: ${names.join(", ")}`, given);
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    throw new WeftError("declaration", `${call} has no option ${shownShort(name)}, only: ${names.join(", ")}`);
  }
}

/** Whether it is an object for keys and values: no array, Date, Map or the like. */
export function isPlain(given: unknown): given is Readonly<Record<string, unknown>> {
  return Object.prototype.toString.call(given) === "[object Object]";
}

/** Somebody wants to hear of an event there is. */
export function checkListener(whose: string, event: unknown, listener: unknown): void {
  if (event !== "change") refuse(`${whose} has one event, "change"`, event);
  if (typeof listener !== "function") refuse('whoever is to hear of "change" is a function', listener);
}

/** Also one of another window. */
export function isAbortSignal(given: unknown): given is AbortSignal {
  return Object.prototype.toString.call(given) === "[object AbortSignal]";
}
