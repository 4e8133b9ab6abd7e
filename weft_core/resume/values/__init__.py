"""Values and frames as JSON text, and back. `docs/reference/values.md` describes the format."""

from __future__ import annotations

from weft_core.resume.values.codec import ValueCodec
from weft_core.resume.values.encode import ATOMS
from weft_core.resume.values.frames import EncodedFrames, FiberEncoder
from weft_core.resume.values.limits import COUNT_MAX, DEPTH_MAX, LARGE_VALUE_BYTES, SURELY_FITS, VALUE_BYTES_MAX
from weft_core.resume.values.registry import Externals, Registry
from weft_core.resume.values.types import builtin as _builtin  # noqa: F401

__all__ = [
    "ATOMS",
    "COUNT_MAX",
    "DEPTH_MAX",
    "LARGE_VALUE_BYTES",
    "SURELY_FITS",
    "VALUE_BYTES_MAX",
    "EncodedFrames",
    "Externals",
    "FiberEncoder",
    "Registry",
    "ValueCodec",
]
