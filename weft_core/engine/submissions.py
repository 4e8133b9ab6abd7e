"""Clients' batches that join the engine's commits: many starts and signals, one transaction.

A start that nothing else has to do with waits apart: its run makes its first turn before anything is written, and both
are one commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice

from weft_core.client import start_rows
from weft_core.errors import Conflict, StoreFull
from weft_core.kernel.records import RunRecord
from weft_core.store.port import Batch


class Submission:
    """A client's batch, and the future its maker waits for.

    The rows of a `new` run's start are not in the batch before it waits to be committed by itself.
    """

    __slots__ = ("batch", "done", "new", "run_id")

    def __init__(self, batch: Batch, run_id: str, new: RunRecord | None, done: asyncio.Future[None]) -> None:
        self.batch = batch
        self.run_id = run_id
        self.new = new
        self.done = done

    def succeed(self) -> None:
        """It is durable."""
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Tell its maker what its commit ended with."""
        if not self.done.done():
            self.done.set_exception(error)


class Submissions:
    """The queue of clients' batches. Each ends in exactly one outcome: committed, or the error of its own commit."""

    def __init__(self, commit: Callable[[Batch], Awaitable[int]], committed: Callable[[Submission, int], None]) -> None:
        self._commit_batch = commit
        self._committed = committed
        self.waiting: list[Submission] = []
        self._starts: dict[str, Submission] = {}
        self._taken: list[Submission] = []

    def __bool__(self) -> bool:
        return bool(self.waiting or self._starts)

    def add(self, batch: Batch, run_id: str, new: RunRecord | None) -> asyncio.Future[None]:
        """Queue a batch (with the record of the run that it starts); the future is set when its commit is durable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        submission = Submission(batch, run_id, new, done)
        if new is not None and new.start_at is None and run_id not in self._starts:
            self._starts[run_id] = submission
            return done
        earlier = self._starts.pop(run_id, None)
        self.give_back([submission] if earlier is None else [earlier, submission])
        return done

    def take_starts(self, limit: int) -> list[Submission]:
        """Up to `limit` starts of runs that nothing queued after them speaks of. Who takes them ends or gives back each."""
        self._taken = taken = list(islice(self._starts.values(), limit)) if self._starts else []
        for submission in taken:
            del self._starts[submission.run_id]
        return taken

    def give_back(self, submissions: Iterable[Submission]) -> None:
        """Let these wait to be committed by themselves: starts, before their runs move."""
        for submission in submissions:
            if submission.new is not None:
                submission.batch.put = start_rows(submission.new)
            self.waiting.append(submission)

    def hurry(self) -> bool:
        """The store fails: starts wait for no turn any more, so that those who made them are told. Whether any are queued."""
        starts, self._starts = self._starts, {}
        self.give_back(starts.values())
        return bool(self.waiting)

    def withdraw(self) -> list[asyncio.Future[None]]:
        """Give up what is queued; its makers must be told."""
        waiting = [*self.waiting, *self._starts.values(), *self._taken]
        self.waiting, self._starts, self._taken = [], {}, []
        return [submission.done for submission in waiting]

    async def commit(self) -> None:
        """Commit what is queued (but for starts apart), as many batches together as touch different rows, in order."""
        waiting, self.waiting = self.waiting, []
        while waiting:
            together, waiting = _compatible(waiting)
            await self._commit_together(together)

    async def _commit_together(self, together: list[Submission]) -> None:
        while together:
            try:
                number = await self._commit_batch(_merge(together))
            except Conflict as conflict:
                loser = next((s for s in together if conflict.key in s.batch.expect), together[0])
                together.remove(loser)
                loser.fail(conflict)
            except BaseException as error:
                if isinstance(error, StoreFull) and len(together) > 1:
                    for submission in together:  # each fits or does not, whatever the others hold
                        await self._commit_together([submission])
                    return
                for submission in together:
                    submission.fail(error)
                if not isinstance(error, Exception):
                    raise
                return
            else:
                for submission in together:
                    self._committed(submission, number)
                    submission.succeed()
                return


def _compatible(waiting: list[Submission]) -> tuple[list[Submission], list[Submission]]:
    """The longest prefix-respecting set of batches that touch different rows, and the rest in order."""
    together: list[Submission] = []
    later: list[Submission] = []
    touched: set[str] = set()
    alone = False
    for submission in waiting:
        batch = submission.batch
        rows = {*batch.expect, *batch.put, *batch.delete}
        ranges = bool(batch.delete_range)  # what a range touches is not known here: such a batch goes alone
        if alone or rows & touched or (ranges and together):
            later.append(submission)
            touched |= rows  # whoever comes after it and touches the same rows must stay after it
            continue
        together.append(submission)
        touched |= rows
        alone = ranges
    return together, later


def _merge(together: list[Submission]) -> Batch:
    merged = Batch()
    for submission in together:
        batch = submission.batch
        merged.expect.update(batch.expect)
        merged.put.update(batch.put)
        merged.delete |= batch.delete
        merged.delete_range += batch.delete_range
    return merged
