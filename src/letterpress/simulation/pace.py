"""How data time passes while the simulated world waits for the next thing to happen."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from letterpress.clock import Clock, ScaledClock, set_clock
from letterpress.simulation.campaigns import MINUTE

STEP = MINUTE
"""How far time is set ahead in one go; nothing comes later than this after it was due."""
_NAP_SECONDS = 0.005
_CLOSE_MS = 200
"""Too near to be stepped to: the clock would be there before it was set."""


def milliseconds(moment: datetime) -> int:
    """Since the epoch."""
    return int(moment.timestamp() * 1000)


class Pace(Protocol):
    """Lets time pass until a moment has come."""

    async def reach(self, moment: int) -> int:
        """Return what the clock shows when that is at or after `moment` (milliseconds since the epoch)."""
        ...


class WaitingPace:
    """Leaves the clock alone and waits, however fast it runs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def reach(self, moment: int) -> int:
        while (now := milliseconds(self._clock.now())) < moment:
            await asyncio.sleep(_NAP_SECONDS)
        return now


class SteppingPace:
    """Sets the shared clock to the next full step: a day passes as fast as the machine allows.

    Time stands (it goes at the wall's speed) while a step's requests are under way, so that no event is
    ahead of the service's clock.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._clock = path, ScaledClock(path)

    async def reach(self, moment: int) -> int:
        while (now := milliseconds(self._clock.now())) < moment:
            step = -(-moment // STEP) * STEP
            if step - now < _CLOSE_MS:
                await asyncio.sleep(_NAP_SECONDS)
            else:
                ahead = datetime.fromtimestamp(step / 1000, UTC)
                set_clock(self._path, ahead, speed=1.0, is_durable=False)
        return now
