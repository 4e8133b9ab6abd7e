/** Exceptions of Python, as `weft_core/resume/values/types/errors.py` stores them, told as errors of JavaScript. */

import { decode } from "../values.js";

/** An error as it is stored; one that is written by hand has only the first two. */
interface Stored {
  readonly type: string;
  readonly message: unknown;
  readonly notes?: readonly unknown[];
  readonly traceback?: readonly (readonly [file: string, line: number, name: string, source: string])[];
  readonly cause?: { readonly $error: Stored } | null;
  readonly context?: { readonly $error: Stored } | null;
  readonly suppress?: boolean;
}

/** The exception of a node `{ $error: … }`, with what it was raised from as `cause`; `stack` is what Python prints of it. */
export function pythonError(node: unknown): Error {
  return told((decode(node) as { readonly $error: Stored }).$error ?? {}, new Map());
}

/** `made`: causes and contexts may go in a circle. */
function told(stored: Stored, made: Map<Stored, Error>): Error {
  const { type = "Exception", message = "", notes = [], traceback = [], cause, context, suppress } = stored;
  const error = new Error(String(decode(message)));
  made.set(stored, error);
  error.name = type.replace(/.*[:.]/, "");
  const frames = traceback.flatMap(([file, line, name, source]) => [
    `  File "${file}", line ${line}, in ${name}`,
    ...(source ? [`    ${source}`] : []),
  ]);
  const head = frames.length > 0 ? ["Traceback (most recent call last):"] : [];
  error.stack = [...head, ...frames, error, ...notes.map(decode), ""].join("\n");
  const from = (cause ?? (suppress ? null : context))?.$error;
  if (from) error.cause = made.get(from) ?? told(from, made);
  return error;
}
