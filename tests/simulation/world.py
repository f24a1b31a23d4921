"""What a seed determines at the start: the engine's settings, the model's faults, the users' habits."""

from __future__ import annotations

from random import Random

from tabspec.config import EngineConfig, Policy

# What users do, and how often in comparison.
ACTIONS = {
    "type": 10,
    "type through": 25,
    "contradict": 6,
    "enter": 4,
    "backspace": 8,
    "undo": 3,
    "redo": 2,
    "move": 5,
    "paste": 2,
    "edit elsewhere": 3,
    "replace all": 0.5,
    "accept": 18,
    "accept word": 4,
    "accept line": 4,
    "reject": 5,
    "ask": 8,
    "look": 3,
    "cancel": 4,
    "close": 1,
    "worker dies": 0.5,
}


class World:
    """What a seed decides before anything happens."""

    def __init__(self, seed: int) -> None:
        random = Random(f"world {seed}")
        pick = random.choice
        self.seed = seed
        self.config = EngineConfig(
            policy=pick(tuple(Policy)),
            depth=pick((1, 2, 4)),
            economy=pick((0.0, 0.02, 0.1, 1.0)),
            max_lines=pick((1, 1, 2)),
            max_tokens=pick((3, 48, 48)),
            # The least of three: often room for one answer or a few.
            cache_bytes=min(
                pick((1500, 8000, 64_000, 1 << 24)), pick((1024, 8000, 1 << 24)), pick((4000, 1 << 24, 1 << 24))
            ),
            prefix_chars=pick((64, 100, 2300)),
            suffix_chars=pick((0, 20, 640)),
            max_document_chars=pick((150, 10_000, 10_000, 10_000)),
            min_probability=pick((0.0, 0.1)),
        )
        self.slots = pick((1, 1, 2, 4))
        self.documents = pick((1, 2, 4))
        self.end_percent = pick((4, 10, 25))
        pick((False, True))  # of no use, but all other worlds stay what they were
        self.fault_rate = pick((0.0, 0.05, 0.3))
        self.late_rate = pick((0.0, 0.1, 0.5))
        # Seconds between two things that happen: bursts (0 lets tasks run, and time stand still), reading, pauses.
        self.pauses = pick(((0.0,), (0.0, 0.01, 0.1), (0.05, 0.2), (0.0, 0.05, 1.0, 30.0)))
        # (Of numbers of their own, so that all other worlds stay what they were.)
        processor = Random(f"processor {seed}")
        self.together = processor.choice((2, 4)) if processor.random() < 0.3 else 1
        self.slots = self.slots if self.together == 1 else self.together
        # (The same: streams that never end, and a process that freezes now and then.)
        hangs = Random(f"hangs {seed}")
        self.endless = hangs.random() < 0.3
        self.freeze_rate = 0.01 if self.together == 1 and hangs.random() < 0.3 else 0.0
        self.actions = {name: weight * pick((0.2, 1.0, 1.0, 3.0)) for name, weight in ACTIONS.items()}
