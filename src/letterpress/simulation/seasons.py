"""What hour, weekday and time of year do to traffic and to clicks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.simulation.campaigns import DAY, HOUR, Ints

_WEEKDAY_TRAFFIC = np.array([1.0, 1.1, 1.1, 1.05, 0.95, 0.5, 0.45])
_WEEKDAY_CLICKS = np.array([0.02, 0.05, 0.04, 0.02, -0.02, -0.07, -0.04])
_HOUR_CLICKS = 0.08
_HOUR_OF_MOST = 20
_YEAR_CLICKS = 0.1
_YEAR_TRAFFIC = 0.25
_DAY_OF_MOST = 340
"""Early in December."""
_DAYS_OF_A_YEAR = 365.2425
_MONDAY = 4
"""Days from the epoch, a Thursday, to the first Monday."""


def weekdays(moments: Ints) -> Ints:
    """0 is Monday; moments are milliseconds since the epoch."""
    return np.asarray((moments // DAY - _MONDAY) % 7, np.int64)


def _year_wave(moments: Ints) -> NDArray[np.float64]:
    """1 at the height of the season, -1 half a year later."""
    day_of_year = moments / DAY % _DAYS_OF_A_YEAR
    return np.asarray(np.cos(2 * np.pi * (day_of_year - _DAY_OF_MOST) / _DAYS_OF_A_YEAR), np.float64)


def traffic_weights(days: Ints, strength: float) -> NDArray[np.float64]:
    """How many slates are asked for on each of `days` (their first moments), relative to each other."""
    wave = np.exp(strength * _YEAR_TRAFFIC * _year_wave(days))
    return np.asarray(_WEEKDAY_TRAFFIC[weekdays(days)] ** strength * wave, np.float64)


def click_factors(sent_at: Ints, strength: float) -> NDArray[np.float64]:
    """What the moment of sending multiplies all click rates by; about 1 on average."""
    hour = sent_at % DAY / HOUR
    daily = _HOUR_CLICKS * np.cos(2 * np.pi * (hour - _HOUR_OF_MOST) / 24)
    log_factor = daily + _WEEKDAY_CLICKS[weekdays(sent_at)] + _YEAR_CLICKS * _year_wave(sent_at)
    return np.asarray(np.exp(strength * log_factor), np.float64)
