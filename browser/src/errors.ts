/** Errors of the page client. `code` is the one that Python and HTTP use for the same thing. */

export type ErrorCode =
  | "weft"
  | "declaration"
  | "checkpoint"
  | "decode"
  | "limit_exceeded"
  | "not_found"
  | "run_not_found"
  | "already_exists"
  | "run_closed"
  | "run_failed"
  | "run_cancelled"
  | "run_terminated"
  | "run_timed_out"
  | "store"
  | "conflict"
  | "store_unavailable"
  | "store_full"
  | "store_corrupt"
  | "store_owned";

/** Everything this package rejects with, but for the reason of an `AbortSignal` that it was given. */
export class WeftError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "WeftError";
    this.code = code;
  }
}

/** A value that no checkpoint can hold: making it again changes nothing. */
export class NotStorable extends WeftError {
  constructor(message: string, options?: ErrorOptions) {
    super("checkpoint", message, options);
  }
}

/**
 * A run ended without a result. Of the Python exception that it failed with, `type` is the class, `detail` what it said and
 * `traceback` what Python prints, notes included; `cause` is the exception it was raised from, an `Error` whose `stack` is
 * what Python prints of that.
 */
export class RunFailed extends WeftError {
  readonly runId: string;
  readonly status: string;
  readonly type: string;
  readonly detail: string;
  readonly traceback: string;

  constructor(
    code: "run_failed" | "run_cancelled" | "run_terminated" | "run_timed_out",
    message: string,
    facts: { runId: string; status: string },
    raised?: Error,
  ) {
    super(code, message, raised); // of which it takes the cause
    this.name = "RunFailed";
    this.runId = facts.runId;
    this.status = facts.status;
    this.type = raised?.name ?? "";
    this.detail = raised?.message ?? "";
    this.traceback = raised?.stack ?? "";
  }
}
