"""The formats of edits, and which one a model's name shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tabspec.config import EditForm
from tabspec.models.edit_protocol import EditRequest, RegionSize
from tabspec.models.http.edits import instinct, markers, mercury, sweep, zeta, zeta2


@dataclass(frozen=True, slots=True)
class EditFormat:
    """How one family of models is asked.

    ``prompt`` makes the prompt, or the message where ``chat`` is set; ``read`` finds the region's new text in the
    answer (None: nothing is to be changed). ``region`` is the size of the regions that the family was trained on,
    ``stop`` the texts that end an answer. ``names`` matches names of its models, in lower case.
    """

    form: EditForm
    names: str
    region: RegionSize
    prompt: Callable[[EditRequest], str]
    read: Callable[[str, EditRequest], str | None]
    stop: tuple[str, ...] = ()
    chat: bool = False


FORMATS = (
    EditFormat(EditForm.SWEEP, sweep.NAMES, sweep.REGION, sweep.prompt, sweep.read, sweep.STOP),
    EditFormat(EditForm.ZETA21, markers.NAMES, markers.REGION, markers.prompt, markers.read, markers.STOP),
    EditFormat(EditForm.ZETA2, zeta2.NAMES, zeta2.REGION, zeta2.prompt, zeta2.read, zeta2.STOP),
    EditFormat(EditForm.ZETA, zeta.NAMES, zeta.REGION, zeta.prompt, zeta.read, zeta.STOP),
    EditFormat(EditForm.MERCURY, mercury.NAMES, mercury.REGION, mercury.prompt, mercury.read, mercury.STOP, chat=True),
    EditFormat(EditForm.INSTINCT, instinct.NAMES, instinct.REGION, instinct.prompt, instinct.read, instinct.STOP),
)


def edit_format(form: EditForm, model: str) -> EditFormat | None:
    """The format that is asked for; with `auto`, that of the family in the model's name. None: it is not known."""
    if form is not EditForm.AUTO:
        return next(each for each in FORMATS if each.form is form)
    return next((each for each in FORMATS if re.search(each.names, model.lower())), None)
