"""The trust with one LTI 1.1 LMS: a consumer key and its secret."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_S = 5400  # seconds; LTI 1.1.1 §4.4 recommends 90 minutes, 300 is the strict choice


@dataclass(frozen=True, slots=True)
class Registration11:
    """One LTI 1.1 registration. `method` is the only signature method this key may use.

    `timestamp_window_s` is how far the LMS's clock and a slow student may be off, in seconds.
    `origins` are the origins that may show the bridge in a frame. `relaunch`: only launches that
    went back to the LMS once and so belong to their browser (LTI 1.1.2) are let in.
    """

    name: str
    consumer_key: str
    shared_secret: str
    method: str = "HMAC-SHA1"
    timestamp_window_s: int = WINDOW_S
    inline: bool = False
    origins: tuple[str, ...] = ()
    relaunch: bool = False
