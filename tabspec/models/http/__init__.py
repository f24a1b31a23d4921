"""A model behind a server: llama.cpp, vLLM, Ollama, TGI, or whoever answers OpenAI's /v1/completions. No torch here.

detect   which server answers at an address, and what it says of itself
forms    the prompt in the model's FIM format: as text, or as tokens where the tokenizer is here
apis     how each API is asked, and how its events are read
wire     one streamed request: events in, or one clear line of what is wrong
reading  from what is read to chunks; the stop rule
begin    how an answer may begin, for more than one suggestion
exact    the same under a grammar, so that the answer is a function of the text alone
pace     back-off while a server is busy or down
key      the key, which is never shown
model    `HttpModel`, which puts these together
"""

from tabspec.models.address import Address, parse_address
from tabspec.models.http.model import HttpModel

__all__ = ["Address", "HttpModel", "parse_address"]
