/**
 * What the owner of a store knows of it: while one engine alone is writing, its commits need not ask. Clients own nothing
 * and load nothing of this.
 */

import { type Logged, META, ROWS } from "./database.js";
import type { Operations } from "./port.js";
import { type Attempt, check, type Group, type Outcome, Outdated, transact, write, written } from "./transactions.js";

/** Versions of rows remembered. Past this, all are forgotten: they only save questions. */
const KNOWN_MAX = 4_000;
/** After how many of its commits an owner forgets those before. */
const FORGET_EVERY = 64;

export class Standing {
  /** The numbers of the owner's first and of its latest commit; null before that. */
  #owned: { readonly since: number; readonly latest: number } | null = null;
  /** Versions of rows, known for sure as of that latest commit, as long as nobody else commits. */
  readonly #known = new Map<string, number>();

  get since(): number | null {
    return this.#owned?.since ?? null;
  }

  /** Whether it can be guessed which commit is the latest. */
  get canGuess(): boolean {
    return this.#owned !== null;
  }

  /**
   * Commit a group of one without reading first, believing that the owner's latest commit is the latest of all. No answer
   * has to be waited for: adding the row of the next number fails when somebody else has taken it, and undoes the whole; else
   * the versions that this owner knows are still right. Every answer to wait for costs a tenth of the commit or more.
   * Rejects with `Outdated` when the guess does not hold, and with a conflict.
   */
  commit(database: IDBDatabase, [operations]: readonly Operations[], attempt: Attempt): Promise<Group> {
    const { client, sequence, durability } = attempt;
    return transact(database, [ROWS, META], "readwrite", durability, "writing", (transaction, refuse) => {
      const rows = transaction.objectStore(ROWS);
      const meta = transaction.objectStore(META);
      const { since, latest } = this.#owned as { since: number; latest: number };
      const { expect } = operations as Operations;
      const number = latest + 1;
      const logged: Logged = { number, client, sequence, owner: true };
      attempt.judged([number]);
      meta.add(logged, number).onerror = (event) => {
        event.stopPropagation(); // not prevented: it aborts the transaction, also one whose commit was asked for
        refuse(new Outdated(), true);
      };
      const unknown = expect.filter(([key, version]) => this.#known.get(key) !== version);
      check(rows, unknown, refuse, () => transaction.commit());
      write(rows, operations as Operations, number);
      if (number % FORGET_EVERY === 0) meta.delete(IDBKeyRange.bound(since, number, true, true));
      if (unknown.length === 0) transaction.commit();
      return () => ({ outcomes: [number], first: false });
    });
  }

  /**
   * What became of a group. `first`: it was an owner's first write. `guessed`: nobody else has committed since the commit before.
   * `repeated`: it was made twice, and versions are not known any more.
   */
  committed(
    group: readonly Operations[],
    outcomes: readonly Outcome[],
    { first, guessed, repeated }: { first: boolean; guessed: boolean; repeated: boolean },
  ): void {
    if (repeated) this.#known.clear();
    let alone = guessed;
    for (const [place, outcome] of outcomes.entries()) {
      if (typeof outcome !== "number") continue;
      if (!repeated) this.#remember(group[place] as Operations, outcome, alone);
      if (first && !alone) this.#owned = { since: outcome, latest: outcome };
      else if (this.#owned !== null) this.#owned = { since: this.#owned.since, latest: outcome };
      alone = true;
    }
  }

  #remember(operations: Operations, number: number, alone: boolean): void {
    if (!alone || this.#known.size > KNOWN_MAX) this.#known.clear();
    for (const [key, version] of operations.expect) this.#known.set(key, version);
    written(this.#known, operations, number);
  }

  /**
   * An owner's first commit, the last of `log`: forget the log before it, but for the first number after every earlier owner's
   * latest. An earlier owner that still runs would take that number next.
   */
  forgetEarlier(meta: IDBObjectStore, log: readonly Logged[]): void {
    const last = log[log.length - 1] as Logged;
    const before = log.findLast((commit) => commit.owner && commit.client !== last.client);
    for (const commit of log) {
      if (commit.number === (before?.number ?? -1) + 1) meta.put({ ...commit, keep: true }, commit.number);
      else if (commit !== last && !commit.keep) meta.delete(commit.number);
    }
  }
}
