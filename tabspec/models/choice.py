"""Whether the larger model is fast enough on this machine: what the model `auto` depends on.

It is measured with the loaded model when it is first needed, in less than a second, and kept in a file
(`tabspec.models.files.speeds`). It is measured again when the model, the decoder or the machine is another one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tabspec.machine import machine
from tabspec.models.decoders.native_library import NativeMissing, installed
from tabspec.models.files.folder import ModelFolder
from tabspec.models.files.speeds import Speed, read_speed, write_speed

if TYPE_CHECKING:
    from tabspec.models.local.slots import Decoder

MOST_MS = 100.0
"""Nine of ten completions may take so long: the limit for what feels immediate (Nielsen, Usability Engineering, 1993,
chapter 5)."""

# Too slow a result may be due to other programs that ran: after a day it is measured again.
AGAIN_S = 86_400.0


def setup_here(folder: ModelFolder, device: str = "auto") -> str:
    """What a measurement depends on, in one line: model, device, decoder, machine."""
    from tabspec.models.machine.devices import pick_device  # imports torch

    try:
        _, level = installed()
    except NativeMissing:
        level = "torch"
    return f"{folder.fingerprint()}; {pick_device(device).type}; {level}; {machine()}"


def remembered(setup: str) -> Speed | None:
    """The measurement of ``setup``; None if it has to be measured."""
    speed = read_speed(setup)
    return None if speed and not fast_enough(speed) and time.time() - speed.when > AGAIN_S else speed


def measured(setup: str, decoder: Decoder) -> Speed:
    """Measure now, and remember the result."""
    from tabspec.models.local.speed import completion_ms

    return write_speed(setup, completion_ms(decoder, MOST_MS))


def fast_enough(speed: Speed) -> bool:
    """Whether a model of this speed is used by `auto`."""
    return speed.ms <= MOST_MS
