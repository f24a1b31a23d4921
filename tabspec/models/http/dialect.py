"""How one server is asked: which API, which form of prompt, and the bodies of the requests. Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tabspec.errors import ModelNotUsable
from tabspec.models.address import Address, Api, Switch
from tabspec.models.http.answers.begin import first_tokens
from tabspec.models.http.answers.exact import first_ask
from tabspec.models.http.answers.reading import budget
from tabspec.models.http.apis import Ask, completions, infill
from tabspec.models.http.cluster_client import ask_cluster
from tabspec.models.http.detect import ServerInfo, ServerKind
from tabspec.models.http.forms import TokenPrompts, format_of, text_prompt
from tabspec.models.http.marks import neutral
from tabspec.models.protocol import GenerationRequest
from tabspec.prompt.fim import FimFormat


@dataclass(frozen=True)
class Dialect:
    """Requests for the server ``server`` at ``address``.

    ``here``: the server is on this machine. ``client`` is a random name, by which a cluster sends an editor to the
    replica that has its KV cache.
    """

    server: ServerInfo
    address: Address
    here: bool
    client: str
    tokens: TokenPrompts | None = field(default=None, compare=False)

    @classmethod
    def of(cls, server: ServerInfo, address: Address, here: bool, client: str) -> Dialect:
        """With the tokenizer that the address names. Raises `ModelNotUsable` if it is not the model's."""
        tokens = None
        if address.tokenizer:
            tokens = TokenPrompts.read(Path(address.tokenizer), server.context, address.format)
            if server.vocabulary and server.vocabulary != tokens.vocabulary.size:
                raise ModelNotUsable(
                    f"{address.tokenizer} has {tokens.vocabulary.size} tokens, and the server's model "
                    f"{server.vocabulary}: it is the tokenizer of another model"
                )
        return cls(server, address, here, client, tokens)

    def without_priority(self) -> Dialect:
        """The same for a server that does not know priorities."""
        return replace(self, address=replace(self.address, priority=Switch.OFF))

    @property
    def api(self) -> Api:
        """The address's choice, else the one that fits the server. llama.cpp's /infill puts the line in progress before
        the suffix, so each key invalidates the KV cache after it: it is for models whose format is not known here.
        Ollama's templates apply the format themselves, and would wrap a prompt that has it already."""
        if self.address.api is not Api.AUTO:
            return self.address.api
        if self.tokens or (self.server.format and (self.server.kind is not ServerKind.OLLAMA or self.address.format)):
            return Api.COMPLETIONS
        return Api.INFILL if self.server.kind is ServerKind.LLAMA_CPP else Api.SUFFIX

    @property
    def exact(self) -> bool:
        """Whether the line in progress is decoded under a grammar. Raises `ModelNotUsable` if it cannot be and the
        address wants it."""
        able = self.server.kind is ServerKind.LLAMA_CPP and self.api is Api.COMPLETIONS and self._prompts is not None
        if self.address.exact is Switch.ON and not able:
            raise ModelNotUsable(f"{self.address.base}: exact=on needs llama.cpp, and a format that is known here")
        return able and self.address.exact is not Switch.OFF

    @property
    def prompts(self) -> TokenPrompts | FimFormat:
        """What renders prompts. Raises `ModelNotUsable` if neither format nor tokenizer is known."""
        if self._prompts is None:
            base, model = self.address.base, self.server.model
            raise ModelNotUsable(f"{base}: the FIM format of {model} is not known; name it: {base}?format=NAME")
        return self._prompts

    @property
    def _prompts(self) -> TokenPrompts | FimFormat | None:
        return self.tokens or (format_of(self.server.format) if self.server.format else None)

    @property
    def marks(self) -> frozenset[int]:
        """Ids of special tokens, as far as they are known."""
        return self.tokens.vocabulary.control if self.tokens else self.server.marks

    @property
    def around(self) -> bool:
        """Whether a cluster gets the text around the window. One on another machine gets it only if the address names
        it, since any server can claim to be a cluster."""
        return self.address.recall is Switch.ON or (self.address.recall is Switch.AUTO and self.here)

    def first(self, request: GenerationRequest) -> Ask:
        """The first HTTP request for ``request``."""
        if self.server.kind is ServerKind.TABSPEC:
            return ask_cluster(self.server, self.client, request, self.around)
        if request.beginnings:
            return first_tokens(self.plain(request), self.server, request.beginnings)
        if self.exact:
            return first_ask(self.server, self.address, self.prompts, request)
        return self.plain(request)

    def plain(self, request: GenerationRequest) -> Ask:
        """All of ``request`` at once. The line in progress follows the head or the middle marker, so that the prompt of
        the next request begins as this one does."""
        max_tokens, stop = budget(request)
        if self.api is Api.INFILL:
            return infill(self.address, request, max_tokens=max_tokens, stop=stop)
        begun = request.forced + request.resume
        suffix = None
        prompt: str | list[int]
        if self.api is Api.SUFFIX:
            prompt, suffix = neutral(request.head + begun), neutral(request.suffix)
        elif isinstance(self.prompts, TokenPrompts):
            prompt = self.prompts.tokens(request, request.head, begun)
        else:
            prompt = text_prompt(self.prompts, request) + neutral(begun)
        return completions(
            self.server,
            self.address,
            prompt,
            max_tokens=max_tokens,
            foreground=request.foreground,
            suffix=suffix,
            stop=stop,
        )

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of a prompt of tokens."""
        if self.tokens is None:
            return ""
        pieces = self.tokens.vocabulary.bytes_of
        return b"".join(pieces[token] for token in tokens).decode("utf-8", "replace")
