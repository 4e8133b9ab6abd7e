/** Which runs a page wants listed: the filters, judged. */

import { isStatus, STATUSES, type Status } from "../records.js";
import { checkOptions, type Known, refuse } from "./options.js";

export interface ListOptions {
  /** Only runs that stand so; `waiting` is a running one that only time or the outside can move. */
  readonly status?: Status | readonly Status[] | undefined;
  readonly workflow?: string | undefined;
  readonly idPrefix?: string | undefined;
  /** At most this many; 100 when not given. */
  readonly limit?: number | undefined;
}

const LIST_OPTIONS: Known<ListOptions> = { status: true, workflow: true, idPrefix: true, limit: true };

/** Throw `declaration` for filters that cannot be: no run would be found, and nobody would know why. */
export function checkList(options: ListOptions): void {
  checkOptions("list", options, LIST_OPTIONS);
  const { status = [], workflow = "", idPrefix = "", limit = 0 } = options;
  for (const one of [status].flat())
    if (!isStatus(one)) refuse(`status is any of ${STATUSES.join(", ")}, or an array`, one);
  if (typeof workflow !== "string") refuse("workflow is the name of one", workflow);
  if (typeof idPrefix !== "string") refuse("idPrefix is the beginning of ids", idPrefix);
  const counts = Number.isInteger(limit) || limit === Number.POSITIVE_INFINITY;
  if (!counts || limit < 0) refuse("limit is a number of runs, 0 or more", limit);
}
