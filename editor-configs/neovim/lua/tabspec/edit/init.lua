-- Next edits: asks the server, shows the first edit of its chain, and does what Tab and Esc say.
local config = require('tabspec.config')
local links = require('tabspec.edit.link')
local places = require('tabspec.place')
local sessions = require('tabspec.session')
local view = require('tabspec.edit.view')
local api = vim.api
local M = {}

local METHOD = 'tabspec/nextEdit'
-- Milliseconds for which the cursor must stay, in Normal mode, until the nearest edit is asked for: as in session.lua.
local REST_MS = 300

---@class tabspec.Chain
---@field client vim.lsp.Client
---@field items table[] the server's edits; the first is the one to be offered now
---@field link tabspec.Link the first, in its buffer
---@field versions table<integer, integer> the buffers' versions that it is for
---@field revealed boolean whether it is shown, and not only hinted at

local chain ---@type tabspec.Chain?
local asked ---@type { place: tabspec.Place, alone: boolean }? where the last request was made, and whether for edits alone
local request ---@type { id: integer, client: vim.lsp.Client }?
local away ---@type { buf: integer, version: integer }? the text in which an edit was put away
local own_place ---@type { buf: integer, row: integer, col: integer }? where a jump or an accept has put the cursor
local rest_timer ---@type uv.uv_timer_t?

---The version of a buffer on the server, after it has received the last changes.
local function version(buf)
  return vim.lsp.util.buf_versions[buf] or api.nvim_buf_get_changedtick(buf)
end

local function mode()
  return api.nvim_get_mode().mode
end

local function inserting()
  return mode():match('^i') ~= nil
end

local function wanted(buf)
  return config.options.next_edits ~= false and require('tabspec').is_enabled(buf)
end

local function stopped(client)
  return client:is_stopped()
end

local function tell(method, item)
  if chain and not stopped(chain.client) then
    chain.client:notify(method, { item = item })
  end
end

local function run(name, item)
  local client = chain and chain.client
  if client and not stopped(client) then
    local params = { command = name or item.command.command, arguments = item.command.arguments }
    client:request('workspace/executeCommand', params, function() end)
  end
end

---Whether the chain is still right: nothing has changed but by accepting it.
local function valid()
  if not chain then
    return false
  end
  for buf, number in pairs(chain.versions) do
    if not api.nvim_buf_is_loaded(buf) or version(buf) ~= number then
      return false
    end
  end
  return true
end

---Whether there is an edit, and no completion in its place. A selection may hide it.
local function offered()
  local session = sessions.get()
  return session ~= nil and wanted(session.buf) and valid() and not (inserting() and session:visible())
end

---Whether an edit, or a hint of one, is on the screen.
function M.visible()
  return offered() and (mode() == 'n' or inserting()) and vim.fn.pumvisible() == 0
end

---Whether the Alt chord is for edits. A menu of completions hides one that may be there: the server is asked for it
---once the menu is closed.
function M.takes_chord()
  return offered() or (sessions.get() ~= nil and vim.fn.pumvisible() == 1)
end

local function cursor()
  local at = api.nvim_win_get_cursor(0)
  return { buf = api.nvim_get_current_buf(), row = at[1] - 1, col = at[2] }
end

local function stands_where_it_was_put()
  return own_place ~= nil and vim.deep_equal(own_place, cursor())
end

---Whether Tab is for edits here. It is not where it indents, goes through a menu or a snippet, or is the user's own.
local function tab_is_free()
  local lhs = config.options.keymaps
  if not inserting() then
    return lhs.edit_normal and require('tabspec.edit.keys').is_mapped(api.nvim_get_current_buf())
  end
  local here = places.here(api.nvim_get_current_buf())
  local indents = here.before:match('^%s*$') ~= nil and not stands_where_it_was_put()
  return lhs.accept
    and not indents
    and vim.fn.pumvisible() == 0
    and not vim.snippet.active()
    and not vim.b.tabspec_own_accept
end

local function key()
  local lhs = config.options.keymaps
  local name = chain.revealed and tab_is_free() and (inserting() and lhs.accept or lhs.edit_normal) or lhs.edit or ''
  return (name:gsub('[<>]', ''))
end

---Draws the edit as it is seen from the cursor, or nothing.
local function draw()
  if M.visible() then
    view.show(chain.link, key(), chain.revealed)
    return true
  end
  view.hide()
  return false
end

---Forgets the chain and what is asked.
function M.forget()
  if request then
    if not stopped(request.client) then
      request.client:cancel_request(request.id)
    end
    request = nil
  end
  asked, chain = nil, nil
  view.hide()
end

---Begins a chain with its first edit; the same edit as before stays on the screen as it is.
---@param session tabspec.Session
---@param result table?
local function take(session, result)
  local items = type(result) == 'table' and result.chain or nil
  local before = valid() and chain or nil
  local link = items and links.of(items[1], session.client.offset_encoding)
  if not link then
    chain = nil
    view.hide()
    return
  end
  local same = before ~= nil and links.same(before.items[1], items[1])
  chain = {
    client = session.client,
    items = items,
    link = link,
    versions = { [session.buf] = version(session.buf), [link.buf] = version(link.buf) },
    revealed = config.options.next_edits ~= 'hint' or (same and before.revealed),
  }
  if draw() then
    tell('textDocument/didShowInlineEdit', items[1])
  end
end

---Asks for the edits at the cursor. In Normal mode no completion competes with them.
local function ask()
  local session = sessions.get()
  if not session or not wanted(session.buf) or stopped(session.client) then
    return M.forget()
  end
  local buf, here = session.buf, places.here(session.buf)
  local alone = not inserting()
  if (asked and asked.alone == alone and places.same(asked.place, here)) or (away and away.buf == buf and away.version == version(buf)) then
    return
  end
  local this = { place = here, alone = alone }
  asked, away = this, nil
  local client, superseded, id, sent = session.client, request, nil, nil
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.textDocument.version = version(buf)
  params.editsOnly = alone or nil
  -- As for completions, the new request goes out before the old one is cancelled.
  sent, id = client:request(METHOD, params, function(err, result)
    if request and request.id == id then
      request = nil
    end
    if asked ~= this or sessions.get() ~= session or version(buf) ~= params.textDocument.version then
      return -- the user has moved on
    end
    take(session, not err and result or nil)
  end, buf)
  request = sent and id and { id = id, client = client } or nil
  if superseded and not stopped(superseded.client) then
    superseded.client:cancel_request(superseded.id)
  end
end

---Asks once more for the same place, if nothing is shown there.
function M.again()
  if not chain then
    asked = nil
    ask()
  end
end

---The text or the cursor has changed.
---@param event string
local function follow(event)
  local session = sessions.get()
  if not session then
    return view.hide()
  end
  if not valid() then
    chain = nil
  end
  draw()
  local moved_only = event == 'CursorMoved'
  rest_timer = rest_timer or assert(vim.uv.new_timer())
  rest_timer:stop()
  if not (mode() == 'n' or inserting()) then
    return
  end
  local wait = moved_only and REST_MS or config.options.debounce_ms
  if wait <= 0 then
    return ask()
  end
  rest_timer:start(wait, 0, vim.schedule_wrap(function()
    if mode() == 'n' or inserting() then
      ask()
    end
  end))
end

---A completion is on the screen: it and an edit are never shown together.
function M.give_way()
  view.hide()
end

---Whether Tab goes to the edit or accepts it.
function M.takes_tab()
  return M.visible() and chain.revealed and tab_is_free()
end

local function jump()
  local link = chain.link
  vim.cmd("normal! m'")
  if link.buf ~= api.nvim_get_current_buf() then
    vim.bo[link.buf].buflisted = true
    api.nvim_win_set_buf(0, link.buf)
  end
  api.nvim_win_set_cursor(0, { link.jump[1] + 1, link.jump[2] })
  vim.cmd('normal! zv')
  tell('tabspec/didJump', link.item)
  own_place = cursor()
end

local function accept()
  local link, client = chain.link, chain.client
  links.apply(link, client.offset_encoding)
  run(nil, link.item)
  own_place = cursor()
  table.remove(chain.items, 1)
  chain.versions[link.buf] = version(link.buf)
  local following = chain.items[1] and links.of(chain.items[1], client.offset_encoding)
  if not following then
    chain = nil
    view.hide()
    return
  end
  chain.link = following
  chain.versions[following.buf] = version(following.buf)
  if draw() then
    tell('textDocument/didShowInlineEdit', following.item)
  end
end

---Goes to the edit that is shown, or accepts it if the cursor is there; shows it where there was only a hint.
---@return boolean whether there was one
function M.advance()
  if not M.visible() then
    return false
  end
  local at = cursor()
  if not chain.revealed then
    chain.revealed = true
  elseif at.buf ~= chain.link.buf or not links.touches(chain.link, at.row) then
    jump()
  else
    accept()
    ask()
    return true
  end
  draw()
  return true
end

---Refuses the edit that is shown. No other is shown until the text changes.
---@return boolean whether there was one
function M.put_away()
  if not M.visible() then
    return false
  end
  run('tabspec.rejected', chain.link.item)
  local buf = api.nvim_get_current_buf()
  M.forget()
  away = { buf = buf, version = version(buf) }
  return true
end

---Sets up the autocommands, once.
---@param group integer
function M.setup(group)
  view.define_highlights()
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, callback = callback })
  end
  on('ColorScheme', view.define_highlights)
  on({ 'TextChanged', 'TextChangedI', 'CursorMoved', 'CursorMovedI' }, function(event)
    if sessions.get() then
      follow(event.event)
    end
  end)
  -- While these run, the mode and the menu are not what they will be.
  on({ 'InsertEnter', 'InsertLeave', 'CompleteDone', 'ModeChanged', 'BufEnter', 'WinScrolled' }, function(event)
    vim.schedule(function()
      if sessions.get() then
        follow(event.event == 'InsertLeave' and 'TextChanged' or 'CursorMoved')
      else
        view.hide()
      end
    end)
  end)
  local escape = vim.keycode('<Esc>')
  vim.on_key(function(_, typed)
    if typed == escape and chain and mode() == 'n' then
      vim.schedule(M.put_away)
    end
  end, view.namespace)
end

return M
