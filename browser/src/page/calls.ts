/** The page's activities: carrying out what one worker's workflows call. */

import { NotStorable, WeftError } from "../errors.js";
import type { ToPage, ToWorker } from "../protocol.js";
import { shownShort } from "../shown.js";
import { decode, encode, parseJson } from "../values.js";

/** What an activity in JavaScript can know of its attempt. */
export interface ActivityInfo {
  readonly runId: string;
  /** The same on every attempt of this operation, also after a crash: give it to the outside system. */
  readonly key: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** Aborts when nobody wants the result any more. */
  readonly signal: AbortSignal;
}

/**
 * The workflow's positional arguments, then what there is to know of the attempt. Plain data in, plain data out. An error with
 * `non_retryable: true` is not tried again, as in Python.
 */
// biome-ignore lint/suspicious/noExplicitAny: activities declare their own arguments
export type Activity = (...args: any[]) => unknown;

export type Activities = Readonly<Record<string, Activity>>;

type Call = Extract<ToPage, { type: "call" }>;
type Threw = Extract<ToWorker, { type: "threw" }>;

/** The calls of one worker that are under way. Workers count their calls by themselves: none may answer another's. */
export class Calls {
  readonly #activities: Activities;
  readonly #answer: (message: ToWorker) => void;
  readonly #open = new Map<number, AbortController>();

  constructor(activities: Activities, answer: (message: ToWorker) => void) {
    this.#activities = activities;
    this.#answer = answer;
  }

  /** Carry a call out. It is answered once, unless nobody wants that any more. Never rejects. */
  async carryOut({ call, activity: name, args, runId, key, attempt }: Call): Promise<void> {
    const abort = new AbortController();
    this.#open.set(call, abort);
    let answer: ToWorker;
    try {
      const activity = Object.hasOwn(this.#activities, name) ? this.#activities[name] : undefined;
      if (!activity) throw new WeftError("not_found", `this page has no activity ${name}`);
      const info: ActivityInfo = { runId, key, attempt, signal: abort.signal };
      const result = await activity(...(decode(parseJson(args)) as unknown[]), info);
      answer = { type: "returned", call, value: encode(result, `result of ${name}`) };
    } catch (error) {
      answer = { type: "threw", call, ...described(error) };
    }
    if (this.#open.get(call) !== abort) return;
    this.#open.delete(call);
    this.#answer(answer);
  }

  /** Nobody wants the result of this call any more. */
  abort(call: number): void {
    this.#open.get(call)?.abort();
    this.#open.delete(call);
  }

  /** The worker is gone: abort all, answer nothing. */
  end(): void {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const abort of open) abort.abort();
  }
}

/** What is told of whatever was thrown; anything may be, also what cannot be turned into text. */
function described(thrown: unknown): Pick<Threw, "name" | "message" | "final"> {
  const text = (part: unknown): string | undefined => (typeof part === "string" ? part : undefined);
  try {
    const { name, message, non_retryable } = (thrown ?? {}) as Record<string, unknown>;
    // What cannot be stored now cannot be stored after another attempt either, which would do its work again.
    const final = non_retryable === true || thrown instanceof NotStorable;
    return { name: text(name) || "Error", message: text(message) ?? (text(thrown) || shownShort(thrown)), final };
  } catch {
    return { name: "Error", message: "something was thrown that cannot be looked at", final: false };
  }
}
