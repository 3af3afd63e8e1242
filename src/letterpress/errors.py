"""Every error that Letterpress raises on purpose.

LetterpressError                exit 3, HTTP 500
├── UsageError                  exit 2, HTTP 400   the caller asked for something that cannot be
│   ├── SettingsError           a setting is unknown or has a wrong value
│   ├── UnknownRecommenderError HTTP 404
│   ├── NotYetThereError        HTTP 404   a step that must come first was not taken
│   └── InvalidRequestError     HTTP 422           a request body that does not fit its schema
├── RefusedError                exit 1, HTTP 409   a gate said no; nothing was changed
│   ├── GateFailedError         an expectation suite found critical violations
│   ├── NotEnoughDataError      too little evidence to train on or to judge
│   └── ModelRefusedError       a bundle that does not fit this build, or a challenger that lost
└── BrokenError                 exit 3, HTTP 500   the world around us is not as it must be
    ├── StorageError            disk full, file unreadable, checksum differs
    │   └── DamagedCopyError    a copy in landing is not what was sealed, whatever the key
    ├── PortInUseError          another process listens where we must
    └── AlreadyRunningError     a second start while the first is under way

A message says what was expected, what was found, and what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class LetterpressError(Exception):
    """Base of the tree. `exit_code` is the CLI's, `http_status` the service's."""

    exit_code: ClassVar[int] = 3
    http_status: ClassVar[int] = 500
    title: ClassVar[str] = "Letterpress failed"


class UsageError(LetterpressError):
    exit_code = 2
    http_status = 400
    title = "Wrong usage"


class SettingsError(UsageError):
    title = "Wrong setting"


class UnknownRecommenderError(UsageError):
    http_status = 404
    title = "Unknown recommender"


class NotYetThereError(UsageError):
    http_status = 404
    title = "Nothing there yet"


class InvalidRequestError(UsageError):
    http_status = 422
    title = "Invalid request"


class RefusedError(LetterpressError):
    exit_code = 1
    http_status = 409
    title = "Refused"


class GateFailedError(RefusedError):
    title = "A data gate failed"


class NotEnoughDataError(RefusedError):
    title = "Not enough data"


class ModelRefusedError(RefusedError):
    title = "Model refused"


class BrokenError(LetterpressError):
    title = "Something is broken"


class StorageError(BrokenError):
    title = "Storage failed"


class DamagedCopyError(StorageError):
    title = "A copy is damaged"


class PortInUseError(BrokenError):
    title = "Port in use"


class AlreadyRunningError(BrokenError):
    title = "Already running"


def as_clause(error: Exception) -> str:
    """What `error` says, to be put into a sentence: without its own full stop.

    >>> as_clause(StorageError("expected a file, found none. "))
    'expected a file, found none'
    """
    return str(error).rstrip(". \n")
