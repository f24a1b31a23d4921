"""Models on a server that write edits. Imports no torch.

formats   which formats there are, and which one a model's name shows
sweep, zeta, zeta2, markers, mercury, instinct   the formats: a request to a prompt, an answer to the region's new text
answers   what the formats have in common in reading an answer
past_edits   past edits as unified diffs, and the document before them
quoting   special tokens as text: in a request, and back in an answer
asking    the HTTP request, and how its events are read
model     `HttpEditModel`
"""

from tabspec.models.http.edits.formats import EditFormat
from tabspec.models.http.edits.model import HttpEditModel

__all__ = ["EditFormat", "HttpEditModel"]
