"""Suggestions as LSP's items. Pure functions."""

from __future__ import annotations

import re
from typing import Any

from lsprotocol import types

from tabspec.context import EditContext
from tabspec.suggestion import Suggestion
from tabspec.text import Document, Edit, PositionEncoding, common_prefix
from tabspec_lsp.state.offers import Offer

ACCEPTED = "tabspec.accepted"
REJECTED = "tabspec.rejected"

_WORD_BEFORE = re.compile(r"\w*\Z")
# Longer than any identifier. Lines may be longer.
_WORD_CHARS = 200


def inline_item(
    context: EditContext, suggestion: Suggestion, offer_id: str, encoding: PositionEncoding
) -> types.InlineCompletionItem:
    """The item for a suggestion at ``context``."""
    edit = context.edit_for(suggestion)
    # Editors show an item only if its filter text starts with the replaced text before the cursor.
    before = context.document.text[edit.offset : context.offset]
    return types.InlineCompletionItem(
        insert_text=edit.insert,
        filter_text=edit.insert if suggestion.edit else before + edit.insert,
        range=_range(context.document, edit, encoding),
        command=_command(context.uri, offer_id),
    )


def inline_item_after_selected(
    document: Document, selected: Edit, suggestion: Suggestion, offer_id: str, encoding: PositionEncoding
) -> types.InlineCompletionItem:
    """The item for a suggestion that continues the selected item of a completion menu, and includes it.

    ``selected`` is the edit of that item.
    """
    kept = selected.insert[: len(selected.insert) - suggestion.replace_before]
    edit = Edit(selected.offset, selected.delete + suggestion.replace_after, kept + suggestion.text)
    return types.InlineCompletionItem(
        insert_text=edit.insert,
        filter_text=edit.insert,
        range=_range(document, edit, encoding),
        command=_command(document.uri, offer_id),
    )


def completion_item(
    context: EditContext, suggestion: Suggestion, offer_id: str, encoding: PositionEncoding
) -> types.CompletionItem:
    """The item for a completion menu. It starts with the word before the cursor, because menus filter by that."""
    edit = context.edit_for(suggestion)
    if not suggestion.replace_before:
        match = _WORD_BEFORE.search(context.prefix[-_WORD_CHARS:])
        word = match.group() if match else ""
        edit = Edit(edit.offset - len(word), edit.delete + len(word), word + edit.insert)
    first, *more = edit.insert.strip().splitlines() or [edit.insert]
    return types.CompletionItem(
        label=first + (" …" if more else ""),
        kind=types.CompletionItemKind.Text,
        detail="tabspec",
        documentation=edit.insert if more else None,
        filter_text=edit.insert,
        sort_text="\u0001",  # first in the menu
        text_edit=types.TextEdit(_range(context.document, edit, encoding), edit.insert),
        insert_text_format=types.InsertTextFormat.PlainText,
        insert_text_mode=types.InsertTextMode.AsIs,
        command=_command(context.uri, offer_id),
    )


def chain_link(offer: Offer, encoding: PositionEncoding, version: int) -> dict[str, Any]:
    """A next edit in a chain (docs/design/next-edit-protocol.md). ``version`` is that of its document."""
    edit, document, change = offer.suggestion.edit, offer.document, offer.change
    assert edit is not None
    start = change.offset + common_prefix(document.text[change.offset : change.offset + change.delete], change.insert)
    return copilot_edit(offer, encoding, version) | {
        "cursor": _position(document.edited(change), edit.cursor, encoding),
        "jump": _position(document, start, encoding),
        "source": edit.source.value,
        "probability": round(edit.probability, 4),
    }


def copilot_edit(offer: Offer, encoding: PositionEncoding, version: int) -> dict[str, Any]:
    """A next edit as Copilot's language server returns it."""
    document, change = offer.document, offer.change
    return {
        "textDocument": {"uri": offer.uri, "version": version},
        "range": {
            "start": _position(document, change.offset, encoding),
            "end": _position(document, change.offset + change.delete, encoding),
        },
        "text": change.insert,
        "command": {"title": "Accepted", "command": ACCEPTED, "arguments": [offer.uri, offer.id]},
    }


def code_action(offer: Offer, encoding: PositionEncoding, line: int | None) -> types.CodeAction:
    """The code action that makes a next edit. ``line`` is where, from 0; None in another document."""
    where = f"line {line + 1}" if line is not None else offer.uri.rpartition("/")[2]
    document = types.OptionalVersionedTextDocumentIdentifier(offer.uri, offer.document.version)
    edit = types.TextEdit(_range(offer.document, offer.change, encoding), offer.change.insert)
    return types.CodeAction(
        title=f"tabspec: next edit ({where})",
        kind=types.CodeActionKind.Refactor,
        edit=types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, [edit])]),
        command=_command(offer.uri, offer.id),
    )


def _position(document: Document, offset: int, encoding: PositionEncoding) -> dict[str, int]:
    return document.position(offset, encoding)._asdict()


def _range(document: Document, edit: Edit, encoding: PositionEncoding) -> types.Range:
    start = document.position(edit.offset, encoding)
    end = document.position(edit.offset + edit.delete, encoding) if edit.delete else start
    return types.Range(types.Position(*start), types.Position(*end))


def _command(uri: str, offer_id: str) -> types.Command:
    return types.Command(title="Accepted", command=ACCEPTED, arguments=[uri, offer_id])
