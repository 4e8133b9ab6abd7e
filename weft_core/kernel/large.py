"""The large values of a run: which fibers use them, which are to be written and which to be deleted."""

from __future__ import annotations

from collections.abc import Iterable

from weft_core.errors import DecodeError
from weft_core.kernel.empty import NOTHING, own
from weft_core.kernel.fibers import Fiber
from weft_core.resume.values import EncodedFrames


class LargeValues:
    """Counts the uses of content-addressed values over all fibers of one run."""

    def __init__(self, stored: dict[str, str]) -> None:
        self.changes: dict[str, str | None] = NOTHING
        self._stored = stored
        self._uses: dict[str, int] = NOTHING

    def count(self, digests: Iterable[str]) -> None:
        """A loaded fiber uses these."""
        for digest in digests:
            own(self, "_uses")[digest] = self._uses.get(digest, 0) + 1

    def keep(self, fiber: Fiber, encoded: EncodedFrames) -> None:
        """Account for what a fiber's frames now refer to: write what is new, delete what nobody uses."""
        used = encoded.used_values
        if used == fiber.values:
            return
        for digest in used - fiber.values:
            uses = self._uses.get(digest, 0)
            own(self, "_uses")[digest] = uses + 1
            if uses == 0 and digest in encoded.new_values:
                own(self, "changes")[digest] = encoded.new_values[digest]
        self.drop(fiber.values - used)
        fiber.values = used

    def drop(self, digests: Iterable[str]) -> None:
        """A fiber no longer uses these."""
        for digest in digests:
            self._uses[digest] -= 1
            if not self._uses[digest]:
                del self._uses[digest]
                own(self, "changes")[digest] = None

    def stored(self) -> Iterable[str]:
        """The digests that may have a row."""
        return {*self._uses, *self.changes}

    def load(self, digest: str) -> str:
        """The text of a value. Raises `DecodeError` when the store does not have it."""
        text = self._stored.get(digest) or self.changes.get(digest)
        if text is None:
            raise DecodeError(f"the large value {digest} is missing from the store; it was damaged outside of Weft")
        return text

    def committed(self, *, needed_later: bool) -> None:
        """The changes are durable. `needed_later`: branches that have not begun will be made from their text."""
        if needed_later:
            own(self, "_stored").update({digest: text for digest, text in self.changes.items() if text is not None})
        self.changes = NOTHING
