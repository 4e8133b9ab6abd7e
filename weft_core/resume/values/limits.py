"""Limits of the codec, by name. Passing one when storing is a `CheckpointError`, when reading a `LimitExceeded`."""

from __future__ import annotations

DEPTH_MAX = 100
"""Containers inside one another, in one value."""

VALUE_BYTES_MAX = 64 * 1024 * 1024
"""Characters (ASCII, so bytes) of one stored text: one value, one fiber's frames, or one large value."""

SURELY_FITS = VALUE_BYTES_MAX // 12
"""Characters of a string whose text is no longer than VALUE_BYTES_MAX, whatever they are."""

COUNT_MAX = 5_000_000
"""Containers in one stored text that uses references."""

LARGE_VALUE_BYTES = 16 * 1024
"""From this many characters on, a container in a frame goes into a content-addressed text of its own."""

PART_BYTES = 32 * 1024
"""About how much of a large list goes into one content-addressed text, so that appending rewrites only the last."""

LARGE_CHILDREN_MAX = 16
"""With more large children than this, a container becomes one large value itself (a list: in parts)."""

NAME_LENGTH_MAX = 500
"""Characters of a reference to a class, function or global in stored text."""

TRACEBACK_FRAMES_MAX = 30
"""Frames of a traceback kept with an error: the outermost few are dropped first."""

ERROR_CHAIN_MAX = 20
"""Causes and contexts kept with an error, following each chain."""

REPR_LENGTH_MAX = 200
"""Characters of the repr that stands for an error's argument that cannot be stored."""

SHORTENED_LENGTH_MAX = 1_000
"""Characters of each argument and attribute of an error that is too large to store whole."""
