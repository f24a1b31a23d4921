"""The plugin's messages to a language server, and its reactions to unusual answers.

The server is a Lua table inside Neovim that keeps all it hears and answers what the test says: so the order of
messages, late answers and errors can be had at will. The editor and the terminal are real.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nvim_driver import GHOST, VERSIONS, Nvim, installed

pytestmark = pytest.mark.editors

# `Answers` maps the line up to the cursor to the items that are answered; `Held` keeps callbacks while `Hold` is set.
SERVER = """
Heard, Answers, Held, Hold = {}, {}, {}, false
local function items(params)
  local line = vim.api.nvim_buf_get_lines(0, params.position.line, params.position.line + 1, false)[1]
  local before = line:sub(1, vim.str_byteindex(line, 'utf-16', params.position.character, false))
  local answer = Answers[before]
  if answer == 'error' then return { code = -32603, message = 'out of order' }, nil end
  local all = {}
  for i, text in ipairs(answer or {}) do
    local item = type(text) == 'table' and vim.deepcopy(text) or { insertText = text }
    item.range = item.range or { start = params.position, ['end'] = params.position }
    item.command = { title = '', command = 'tabspec.accepted', arguments = { params.textDocument.uri, before .. i } }
    all[i] = item
  end
  return nil, { items = params.context.triggerKind == 1 and all or { all[1] } }
end
function Server(dispatchers)
  local closing = false
  return {
    request = function(method, params, callback)
      table.insert(Heard, { method = method, params = params })
      local function answer()
        if method == 'initialize' then
          callback(nil, { capabilities = {
            inlineCompletionProvider = true, positionEncoding = 'utf-16',
            textDocumentSync = { openClose = true, change = 2 } } })
        elseif method == 'textDocument/inlineCompletion' then
          callback(items(params))
        else
          callback(nil, vim.NIL)
        end
      end
      local held = Hold and method == 'textDocument/inlineCompletion'
      if held then table.insert(Held, answer) else vim.schedule(answer) end
      return true, #Heard
    end,
    notify = function(method, params)
      table.insert(Heard, { method = method, params = params })
      return true
    end,
    is_closing = function() return closing end,
    terminate = function() closing = true end,
  }
end
"""

Open = Callable[[dict[str, Any]], Nvim]


@pytest.fixture(params=[VERSIONS[0], *(pytest.param(older, marks=pytest.mark.nightly) for older in VERSIONS[1:])])
def open_nvim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens Neovim with a server with given answers: line up to the cursor -> items or texts."""
    running = []

    def open_one(answers: dict[str, Any], text: str = "") -> Nvim:
        file = tmp_path / "example.py"
        file.write_text(text, encoding="utf-8")
        literal = f"Answers = vim.json.decode([==[{json.dumps(answers, ensure_ascii=False)}]==])"
        nvim = Nvim(installed(request.param), tmp_path, None, "cmd = Server", SERVER + literal)
        running.append(nvim)
        nvim.start(file)
        nvim.until(lambda: nvim.lua("return require('tabspec.session').get() ~= nil"), "tabspec attached")
        return nvim

    yield open_one
    for nvim in running:
        nvim.close()


def heard(nvim: Nvim, *methods: str) -> list[dict[str, Any]]:
    """The messages so far: of these methods, or all but the first few."""
    messages = nvim.lua("return Heard") or []
    return [message for message in messages if message["method"] in methods]


def test_an_accept_is_reported_and_the_next_suggestion_requested_at_once(open_nvim: Open) -> None:
    nvim = open_nvim({"a": [" = b"], "a = b": [" + c"]})
    nvim.keys("i")
    nvim.type("a")
    nvim.until_ghost(" = b")
    nvim.lua("Heard = {}")
    nvim.keys("Tab")
    nvim.until_ghost(" + c")
    # Requests for next edits are sent beside those for completions, at any time.
    messages = [message for message in nvim.lua("return Heard") if message["method"] != "tabspec/nextEdit"]
    methods = [message["method"] for message in messages]
    assert methods == [
        "textDocument/didChange",
        "workspace/executeCommand",
        "textDocument/inlineCompletion",  # once: the events behind an accept ask no second time
        "textDocument/didShowCompletion",
    ]
    change, command, request, shown = (message["params"] for message in messages)
    assert change["contentChanges"][0]["text"] == " = b"
    assert command["command"] == "tabspec.accepted"
    assert command["arguments"][-1] == "a1"
    assert request["position"] == {"line": 0, "character": 5}
    assert shown["item"]["command"]["arguments"][-1] == "a = b1"


def test_a_refusal_is_reported_with_the_items_id(open_nvim: Open) -> None:
    nvim = open_nvim({"a": [" = b"]})
    nvim.keys("i")
    nvim.type("a")
    nvim.until_ghost(" = b")
    nvim.keys("C-]")
    nvim.until_no_ghost()
    (command,) = heard(nvim, "workspace/executeCommand")
    assert command["params"]["command"] == "tabspec.rejected"
    assert command["params"]["arguments"][-1] == "a1"


def test_a_partial_accept_counts_utf16_from_the_items_beginning(open_nvim: Open) -> None:
    nvim = open_nvim({"a": ["🦊🦊 b c"]})
    nvim.keys("i")
    nvim.type("a")
    nvim.until_ghost("🦊🦊 b c")
    nvim.keys("M-Right")
    nvim.until_text("a🦊🦊")
    (first,) = heard(nvim, "textDocument/didPartiallyAcceptCompletion")
    assert first["params"]["acceptedLength"] == 4
    assert first["params"]["item"]["insertText"] == "🦊🦊 b c"


def test_cycling_through_alternatives(open_nvim: Open) -> None:
    nvim = open_nvim({"a": [" = b", " + c", " * d"]})
    nvim.keys("i")
    nvim.type("a")
    nvim.until_ghost(" = b")
    nvim.keys("M-n")
    nvim.until_ghost(" + c (2/3)")
    nvim.keys("M-n")
    nvim.until_ghost(" * d (3/3)")
    nvim.keys("M-n")
    nvim.until_ghost(" = b (1/3)")
    nvim.keys("M-p", "M-p")
    nvim.until_ghost(" + c (2/3)")
    nvim.keys("Tab")
    nvim.until_text("a + c")
    (command,) = heard(nvim, "workspace/executeCommand")
    assert command["params"]["arguments"][-1] == "a2"
    kinds = [request["params"]["context"]["triggerKind"] for request in heard(nvim, "textDocument/inlineCompletion")]
    assert kinds.count(1) == 1


def test_an_answer_for_an_earlier_position_is_not_shown(open_nvim: Open) -> None:
    nvim = open_nvim({"a": [" = b"], "ax": [" = y"]})
    nvim.lua("Hold = true")
    nvim.keys("i")
    nvim.until(lambda: nvim.lua("return #Held == 1"), "the request on entering Insert mode")
    nvim.type("a")
    nvim.until(lambda: nvim.lua("return #Held == 2"), "the second")
    nvim.type("x")
    nvim.until(lambda: nvim.lua("return #Held == 3"), "the third")
    nvim.lua("Held[2]()")
    assert nvim.ghost == ""
    nvim.lua("Held[3]()")
    nvim.until_ghost(" = y")
    nvim.lua("Held[2]() Held[1]()")
    assert nvim.ghost == " = y"
    # the new request was there before the old one was taken back, so that the server could hand over its work
    order = [
        message["method"]
        for message in nvim.lua("return Heard")
        if message["method"] in ("textDocument/inlineCompletion", "$/cancelRequest")
    ]
    assert order[-2:] == ["textDocument/inlineCompletion", "$/cancelRequest"]


def test_an_error_shows_nothing_and_the_next_request_works(open_nvim: Open) -> None:
    nvim = open_nvim({"a": "error", "ab": [" = c"]})
    nvim.keys("i")
    nvim.type("a")
    nvim.until(lambda: nvim.lua("return require('tabspec.session').get().request == nil"), "the error")
    assert nvim.lua("return vim.fn.execute('messages')").strip() == ""
    nvim.type("b")
    nvim.until_ghost(" = c")


def test_text_replaced_after_the_cursor_is_struck_out(open_nvim: Open) -> None:
    span = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 8}}
    nvim = open_nvim({"foo(": [{"insertText": "b, c)", "range": span}]}, text="foo(old]\n")
    nvim.keys("f", "o", "i")
    nvim.keys("Escape", "0", "f", "(", "a")
    screen = nvim.until_ghost("b, c)")
    assert screen.rows[0].rstrip() == "foo(b, c)old]"
    nvim.keys("Tab")
    nvim.until_text("foo(b, c)")


@pytest.mark.parametrize(
    "item",
    [
        {"insertText": "other", "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}},
        {"insertText": "fooxy", "range": {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}},
        {"insertText": "foo", "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}},
    ],
    ids=["says something else before the cursor", "reaches over the line's end", "says nothing new"],
)
def test_items_that_cannot_be_shown_are_left_out(open_nvim: Open, item: dict[str, Any]) -> None:
    nvim = open_nvim({"foo": [item], "foox": ["y"]}, text="\nnext\n")
    nvim.keys("i")
    nvim.type("foo")
    nvim.until(lambda: len(heard(nvim, "textDocument/inlineCompletion")) >= 1, "a request")
    nvim.until(lambda: nvim.lua("return require('tabspec.session').get().request == nil"), "its answer")
    assert nvim.ghost == ""
    nvim.type("x")
    nvim.until_ghost("y")


def test_typed_text_in_the_range_is_not_drawn_again(open_nvim: Open) -> None:
    span = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}
    nvim = open_nvim({"foo": [{"insertText": "foobar", "range": span}]})
    nvim.keys("i")
    nvim.type("foo")
    assert nvim.until_ghost("bar").rows[0].rstrip() == "foobar"
    nvim.keys("M-Right")
    nvim.until_text("foobar")


def test_each_invalid_option_is_reported_in_one_line(tmp_path: Path) -> None:
    nvim = Nvim(installed("0.12"), tmp_path, None, "cmd = Server, keymaps = { acept = '<C-y>', next = 3 }", SERVER)
    file = tmp_path / "example.py"
    file.write_text("")
    try:
        nvim.start(file)
        problems = nvim.lua("return require('tabspec.config').problems")
        assert problems[0].startswith('the key for "next" is a string or false')
        assert problems[1].startswith('unknown key "acept"; known are: accept, accept_line')
        assert nvim.lua("return require('tabspec.config').options.keymaps.next") == "<M-n>"
    finally:
        nvim.close()


def test_neovims_own_ghost_text_is_not_shown_as_well(tmp_path: Path) -> None:
    """Who has turned on `vim.lsp.inline_completion` for all servers sees one suggestion, not two."""
    before = SERVER + "Answers = { a = { ' = b' } } vim.lsp.inline_completion.enable()"
    before += f" vim.api.nvim_set_hl(0, 'ComplHint', {{ fg = '{GHOST}' }})"
    nvim = Nvim(installed("0.12"), tmp_path, None, "cmd = Server", before)
    file = tmp_path / "example.py"
    file.write_text("")
    try:
        nvim.start(file)
        nvim.until(lambda: nvim.lua("return require('tabspec.session').get() ~= nil"), "tabspec attached")
        nvim.keys("i")
        nvim.type("a")
        nvim.until_ghost(" = b")
        client = nvim.lua("return require('tabspec.server').client().id")
        assert nvim.lua(f"return vim.lsp.inline_completion.is_enabled({{ client_id = {client} }})") is False
        nvim.keys("Tab")
        nvim.until_text("a = b")
    finally:
        nvim.close()
