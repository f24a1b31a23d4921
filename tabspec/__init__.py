"""tabspec: speculative tab-completion. The next suggestion is there before Tab is pressed.

No torch is imported from here.
"""

from tabspec.config import EngineConfig, Policy
from tabspec.context import EditContext
from tabspec.suggestion import Answer, Finish, Reason, Source, Suggestion
from tabspec.text import Document, Edit, Position, PositionEncoding

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Document",
    "Edit",
    "EditContext",
    "EngineConfig",
    "Finish",
    "Policy",
    "Position",
    "PositionEncoding",
    "Reason",
    "Source",
    "Suggestion",
    "__version__",
]
