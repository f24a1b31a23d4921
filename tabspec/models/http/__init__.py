"""A model on a server: llama.cpp, vLLM, Ollama, or any that has OpenAI's /v1/completions. Imports no torch.

detect          which server answers at an address, and what it reports about its model
forms           the prompt in the model's FIM format: as text, or as tokens if the tokenizer is on this machine
dialect         which API and which form of prompt a server gets
apis            how each API is asked, and how its events are read
answers         from events to chunks
hints           what to set in an address that does not fit its server
marks           special tokens as text
cluster_client  the client of `tabspec cluster`
leaving         which of the user's text is in a request, and whether it may leave this machine
secrets         which text looks like a secret
connection      route, key, back-off, and the HTTP requests
model           `HttpModel`, which puts these together
edits           models that write edits: `HttpEditModel`, on top of `HttpModel`
"""

from tabspec.models.address import Address, parse_address
from tabspec.models.http.model import HttpModel

__all__ = ["Address", "HttpModel", "parse_address"]
