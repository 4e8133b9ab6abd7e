"""Exception classes of Python's own library: known by where they stand, as those of the app are.

What they are made of is harmless: reading one calls nothing of the class. A module that this process has not imported
yet, because other code of the app raised the error elsewhere, is imported where it is one of a fixed list, as reading a
`Decimal` imports `decimal`; the data has no say in what is on it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType

_IMPORTED = frozenset(
    "_csv _lzma _queue asyncio.exceptions asyncio.queues binascii concurrent.futures._base configparser decimal "
    "email.errors ftplib graphlib http.client http.cookies imaplib ipaddress json.decoder queue re shutil smtplib "
    "socket sqlite3 ssl statistics struct subprocess tarfile threading tomllib urllib.error xml.etree.ElementTree "
    "xml.parsers.expat zipfile zlib zoneinfo._common".split()
)

ONE_NAME = {"re:PatternError": "re:error"}
"""By their names in newer Pythons: classes that have the other name in all of them."""


def library_module(name: str) -> ModuleType | None:
    """A module of Python's own library, if it is there."""
    if name.partition(".")[0] not in sys.stdlib_module_names:
        return None
    if name not in sys.modules and name in _IMPORTED:
        with suppress(ImportError):  # not every Python has all of them
            import_module(name)
    return sys.modules.get(name)
