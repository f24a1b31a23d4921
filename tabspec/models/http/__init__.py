"""A model behind a server: llama.cpp, vLLM, Ollama, TGI, or whoever answers OpenAI's /v1/completions. No torch here.

address     what the user writes: http://host:port/v1?option=value#model-name
detect      which server answers there, and what it says of itself
forms       the prompt as text, or as tokens where the tokenizer is here
apis        how each API is asked, and how its events are read
wire        one streamed request: events in, or one clear line of what is wrong
pace        back-off while a server is busy or down
model       `HttpModel`, which puts these together
"""

from tabspec.models.http.address import Address, is_address, parse_address
from tabspec.models.http.model import HttpModel

__all__ = ["Address", "HttpModel", "is_address", "parse_address"]
