/** Compiled and never run: what somebody writes whose compiler is as strict as ours (`exactOptionalPropertyTypes`). */
import { type Activity, type ListOptions, type OpenOptions, type StartOptions, Weft } from "weft-browser";

declare function perhaps<T>(): T | undefined;

const open: OpenOptions = {
  app: "shop:app",
  files: perhaps<Record<string, string>>(),
  packages: perhaps<string[]>(),
  activities: perhaps<Record<string, Activity>>(),
  database: perhaps<string>(),
  durability: perhaps<"strict">(),
  assets: perhaps<string>(),
  engine: perhaps<boolean>(),
};
const starting: StartOptions = {
  id: perhaps<string>(),
  args: perhaps<unknown[]>(),
  kwargs: perhaps<Record<string, unknown>>(),
  ifExists: perhaps<"use">(),
  startAt: perhaps<Date>(),
  version: perhaps<string>(),
};
const listing: ListOptions = {
  status: perhaps<"waiting">(),
  workflow: perhaps<string>(),
  idPrefix: perhaps<string>(),
  limit: perhaps<number>(),
};

export async function options(): Promise<void> {
  const weft = await Weft.open(open);
  const run = await weft.start("checkout", { id: "A-7" }, starting);
  await run.signal("paid", { ok: true }, { id: perhaps<string>() });
  await run.result({ signal: perhaps<AbortSignal>() });
  await weft.list(listing);
  await weft.count({ status: perhaps<"waiting">() });
}
