"""The prompt for a server that wants it in the model's own FIM format: as text, or as tokens.

As text: the server's tokenizer splits it, and the format's marks are written out. A mark in the user's text would
change the prompt, so a blank is put into it (`tabspec.models.http.marks`).

As tokens: nothing can be mistaken, and head and line in progress are split as they are for a model in this process.
That needs the model's ``tokenizer.json`` on this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tabspec.models.files.folder import ModelFolder, load_tokenizer
from tabspec.models.http.marks import neutral
from tabspec.models.protocol import GenerationRequest
from tabspec.models.tokens.prompting import Prompter
from tabspec.models.tokens.vocabulary import Vocabulary
from tabspec.models.tokens.writing import writable
from tabspec.prompt.fim import FORMATS, FimFormat, FimInput, Special

# As files and repositories of each family are named; the first match counts.
_NAMES = (
    (r"tabspec", "tabspec"),
    (r"codeqwen", "fim-tokens"),  # its tokenizer has StarCoder's marks
    (r"qwen.*cod", "qwen2.5-coder"),
    (r"code-?gemma", "codegemma"),
    (r"starcoder-?2", "starcoder2"),
    (r"starcoder", "starcoder"),
    (r"santacoder", "santacoder"),
    (r"smollm", "smollm"),
    (r"granite.*code", "granite-code"),
    (r"mellum", "mellum"),
    (r"stable-?code|refact", "fim-tokens"),
    (r"deepseek-?coder", "deepseek-coder"),
    (r"code-?llama", "codellama"),
    (r"codestral", "codestral"),
)


def format_of(name: str) -> FimFormat | None:
    """The format called ``name``, or that of the model family in a model's name; None for unknown ones."""
    exact = next((form for form in FORMATS if form.name == name), None)
    if exact:
        return exact
    found = next((form for pattern, form in _NAMES if re.search(pattern, name.lower())), None)
    return next((form for form in FORMATS if form.name == found), None)


def text_prompt(form: FimFormat, request: GenerationRequest) -> str:
    """The prompt up to the end of the head, without the token that a prompt begins with: the server adds that."""
    asked = FimInput(
        neutral(request.head),
        neutral(request.suffix),
        neutral(request.path),
        tuple((neutral(text.path), neutral(text.text)) for text in request.related),
    )
    parts = form.render(asked)
    parts = parts[1:] if form.begin else parts
    return "".join(part.token if isinstance(part, Special) else part for part in parts)


@dataclass(frozen=True)
class TokenPrompts:
    """Prompts as tokens, made as for a model of this process."""

    vocabulary: Vocabulary
    prompter: Prompter

    @classmethod
    def read(cls, folder: Path, context: int, format_name: str = "") -> TokenPrompts:
        """For the tokenizer in ``folder``. Raises `ModelNotUsable` if it has none or knows no FIM format."""
        found = ModelFolder(folder)
        vocabulary, form = load_tokenizer(found.tokenizer_json(), found.model_type, str(folder), format_name)
        return cls(vocabulary, Prompter(vocabulary, form, context))

    def tokens(self, request: GenerationRequest, head: str, begun: str) -> list[int]:
        """The prompt up to the end of ``head``, and the tokenizer's own tokens for the text ``begun`` after it."""
        return [*self.prompter.prompt(writable(head), request), *self.vocabulary.encode(writable(begun))]
