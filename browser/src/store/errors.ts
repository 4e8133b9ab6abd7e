/** What goes wrong with a store, and the one table from the platform's errors to it. */

import { type ErrorCode, WeftError } from "../errors.js";

export class StoreError extends WeftError {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.name = "StoreError";
  }
}

/** A precondition did not hold and nothing was written. */
export class Conflict extends StoreError {
  constructor(
    readonly key: string,
    readonly expected: number,
    readonly actual: number,
  ) {
    super("conflict", `${JSON.stringify(key)} is at version ${actual}, not ${expected}; nothing was written`);
  }
}

/**
 * The store did not answer. `applied`: false when surely nothing was written, null when that is unknown. `gone`: what was
 * opened is there no more, or not for this version of Weft; it does not come back.
 */
export class StoreUnavailable extends StoreError {
  readonly gone: boolean;

  constructor(
    message: string,
    readonly applied: false | null,
    options: ErrorOptions & { readonly gone?: boolean } = {},
  ) {
    super("store_unavailable", message, options);
    this.gone = options.gone ?? false;
  }
}

/** The connection died under a call; the call may be made again on a new one. `maybeApplied`: it was on its way. */
export class ConnectionLost extends Error {
  constructor(
    readonly reason: unknown,
    readonly maybeApplied: boolean,
  ) {
    super(`the connection to the database was lost (${reason})`);
  }
}

/** What ended a transaction or an open, as one of ours; null when only a new connection can tell. */
export function translate(error: unknown, doing: string): StoreError | null {
  if (error instanceof StoreError) return error;
  const options = { cause: error };
  switch ((error as { name?: unknown } | null)?.name) {
    case "QuotaExceededError":
      return new StoreError("store_full", `no room left while ${doing}: the browser's quota is exhausted`, options);
    case "VersionError":
      return new StoreUnavailable(
        `${doing}: it is a newer Weft's (reload the page), or not a Weft store; give \`database\` another name`,
        false,
        { ...options, gone: true },
      );
    case "DataError":
    case "DataCloneError":
    case "ConstraintError":
      return new StoreError("store", `the database refused what it was given while ${doing}`, options);
    case "NotReadableError":
    case "DataCorruptedError":
      return new StoreError("store_corrupt", `the database is damaged (${error})`, options);
    default: // AbortError, InvalidStateError, UnknownError, TransactionInactiveError, TimeoutError and what is to come
      return null;
  }
}
