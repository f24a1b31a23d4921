"""A minimal pygls server that returns no suggestions. `tabspec bench lsp` compares the real server with it."""

from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("bare", "1")


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
def inline_completion(params: types.InlineCompletionParams) -> types.InlineCompletionList:
    return types.InlineCompletionList(items=[])


if __name__ == "__main__":
    server.start_io()
