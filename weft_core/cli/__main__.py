"""`python -m weft_core.cli` is `weft`."""

from __future__ import annotations

import sys

from weft_core.cli import main

sys.exit(main())
