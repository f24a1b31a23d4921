"""A model behind a server: llama.cpp, vLLM, Ollama, or any that answers OpenAI's /v1/completions. No torch here.

detect   which server answers at an address, and what it says of itself
forms    the prompt in the model's FIM format: as text, or as tokens where the tokenizer is here
apis     how each API is asked, and how its events are read
wire     one streamed request: events in, or one clear line of what is wrong
alone    awaits httpx so that connections are closed
reading  from what is read to chunks; the stop rule
begin    how an answer may begin, for more than one suggestion
exact    the same under a grammar, so that the answer is a function of the text alone
pace     back-off while a server is busy or down
route    the way to a server: on this machine, through a proxy, or straight to another one
key      the key, which belongs to one host and is never shown
leaving  what of the user's text is in a request, and whether it may leave this machine
secrets  what text looks like a secret
model    `HttpModel`, which puts these together
"""

from tabspec.models.address import Address, parse_address
from tabspec.models.http.model import HttpModel

__all__ = ["Address", "HttpModel", "parse_address"]
