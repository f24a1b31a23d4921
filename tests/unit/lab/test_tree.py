"""The laboratory's speculator, which requests all futures of a screen."""

from __future__ import annotations

import asyncio

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.engine.speculation.price import Price
from tabspec.lab.tree import TreeSpeculator
from tabspec.suggestion import Suggestion
from tabspec.text import Document


async def test_a_closed_screen_leaves_no_documents_in_memory() -> None:
    config = EngineConfig(policy=Policy.TREE)
    asked = []
    speculator = TreeSpeculator(
        config,
        Price(config.economy),
        asyncio.get_running_loop(),
        lambda _: None,
        lambda each: asked.append(each) or True,
    )
    context = EditContext(Document("file:///a.py", "x = "), 4)
    speculator.shown(context, Suggestion("1\ny = 2"))
    assert asked and speculator._trees
    speculator.gone(context.uri)
    assert not speculator._trees
