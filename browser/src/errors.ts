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
 * A run ended without a result. `type` is the Python exception's class, `detail` what it
 * said and `traceback` its text, when it has one.
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
    facts: { runId: string; status: string; type?: string; detail?: string; traceback?: string },
  ) {
    super(code, message);
    this.name = "RunFailed";
    this.runId = facts.runId;
    this.status = facts.status;
    this.type = facts.type ?? "";
    this.detail = facts.detail ?? "";
    this.traceback = facts.traceback ?? "";
  }
}
