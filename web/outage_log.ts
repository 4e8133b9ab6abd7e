/** What is remembered of engines that were lost while a run was open. Takes facts and returns values; asks no clock. */

/** A span without an engine; `to` is missing while it lasts. Instants are milliseconds since 1970. */
export interface Outage {
  readonly from: number;
  readonly to?: number;
}

export interface OutageLog {
  readonly list: readonly Outage[];
  /** When an engine was last seen advancing the run; 0 when none was yet, or the run has ended. */
  readonly alive: number;
}

export const NOTHING: OutageLog = { list: [], alive: 0 };

/** Silence longer than this means that there was no engine: a crash has no time to say so. */
export const SILENCE_MS = 800;

/** An engine is there. */
export function rose(log: OutageLog, now: number): OutageLog {
  return { list: closed(seen(log, now), now), alive: now };
}

/** The engine is known to be gone: no silence is needed to tell. */
export function fell(log: OutageLog, now: number): OutageLog {
  return lasts(log.list) ? log : { list: [...log.list, { from: now }], alive: now };
}

/** The run has ended. An outage that lasts on in the log ended before: somebody's engine finished the run. */
export function ended(log: OutageLog, at: number): OutageLog {
  return { list: closed(log.list, at), alive: 0 };
}

/** The outages as they look while no engine is known of. */
export function seen({ list, alive }: OutageLog, now: number): readonly Outage[] {
  return !lasts(list) && alive > 0 && now - alive > SILENCE_MS ? [...list, { from: alive }] : list;
}

/** Engines that were lost and replaced. */
export const survived = ({ list }: OutageLog): number => list.length - (lasts(list) ? 1 : 0);

const lasts = (list: readonly Outage[]): boolean => list.length > 0 && list.at(-1)?.to === undefined;

function closed(list: readonly Outage[], at: number): readonly Outage[] {
  const last = list.at(-1);
  return last === undefined || last.to !== undefined
    ? list
    : [...list.slice(0, -1), { from: last.from, to: Math.max(last.from, at) }];
}
