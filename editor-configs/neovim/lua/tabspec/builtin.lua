-- The option backend = "builtin": Neovim 0.12's own vim.lsp.inline_completion makes the requests and draws. This module adds
-- what that lacks: a request immediately after an accept, removal of text that no longer fits, accepting words and lines,
-- refusals, and one undo step for each accept.
local sessions = require('tabspec.session')
local places = require('tabspec.place')
local api = vim.api
local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED = 1
local namespace = api.nvim_create_namespace('nvim.lsp.inline_completion')

---@class tabspec.Builtin: tabspec.Session
local Builtin = setmetatable({}, { __index = sessions.Session })
Builtin.__index = Builtin

function M.available()
  return vim.lsp.inline_completion ~= nil
end

---Makes the module send a request now. It sends requests 200 ms after a key, with vim.defer_fn() in its autocommands, and
---has no function for that. So while these autocommands run for the buffer, deferred functions are called immediately.
---If a later Neovim does this differently, the request is sent after the module's own delay.
---@param buf integer
local function ask_at_once(buf)
  local deferred, defer_fn = {}, vim.defer_fn
  vim.defer_fn = function(run, ms)
    table.insert(deferred, run)
    return defer_fn(function() end, ms)
  end
  local fine, problem = pcall(api.nvim_exec_autocmds, 'CursorMovedI', {
    group = ('nvim.lsp.inline_completion:%d'):format(buf),
    buffer = buf,
    modeline = false,
  })
  vim.defer_fn = defer_fn
  if not fine then
    vim.notify_once('tabspec: Neovim asks after its own wait: ' .. problem, vim.log.levels.DEBUG)
  end
  for _, run in ipairs(deferred) do
    run()
  end
end

---The response for the module to draw, with LF line ends: it would draw those of a file with CRLF as ^M.
---@param result table?
local function drawn(result)
  if type(result) ~= 'table' then
    return result
  end
  local copy = vim.deepcopy(result)
  for _, item in ipairs(copy.items or copy) do
    if type(item.insertText) == 'string' then
      item.insertText = item.insertText:gsub('\r\n', '\n')
    end
  end
  return copy
end

---Listens to the responses to the module's requests, which the module does not expose.
---@param client vim.lsp.Client
local function listen(client)
  local request = client.request
  client.request = function(self, method, params, handler, buf, ...)
    local session = method == METHOD and buf and sessions.get(buf)
    if not session or not handler then
      return request(self, method, params, handler, buf, ...)
    end
    local here = places.here(buf)
    return request(self, method, params, function(err, result, ...)
      handler(err, drawn(result), ...)
      if sessions.get(buf) == session and session:active() then
        session:take(here, err, result, params.context.triggerKind == INVOKED)
      end
    end, buf, ...)
  end
end

local listened = setmetatable({}, { __mode = 'k' }) ---@type table<vim.lsp.Client, true>

---@param buf integer
---@param client vim.lsp.Client
function M.attach(buf, client)
  if not listened[client] then
    listened[client] = true
    listen(client)
  end
  local session = sessions.attach(buf, client, Builtin)
  session:switch(true)
  return session
end

---Runs after the module's autocommands, and removes what it shows if that no longer fits.
function Builtin:follow(entering)
  if sessions.get(self.buf) ~= self or not self:active(entering) then
    return self:forget()
  end
  if self.answer and not self:rest(places.here(self.buf)) then
    self:forget()
  end
end

---The module draws. This removes what it draws if the response no longer fits.
function Builtin:draw(here)
  if not self:rest(here) then
    self.answer = nil
    self:clear()
  end
end

function Builtin:ask()
  ask_at_once(self.buf)
end

function Builtin:again()
  if not self.answer and self:active() then
    self:ask()
  end
end

function Builtin:forget()
  self.answer = nil
  self:clear()
end

---Makes the module drop what it shows: it starts to accept it, and the accept is then prevented.
function Builtin:clear()
  if not api.nvim_buf_is_valid(self.buf) then
    return
  end
  api.nvim_buf_clear_namespace(self.buf, namespace, 0, -1)
  if vim.lsp.inline_completion.is_enabled({ bufnr = self.buf }) then
    vim.lsp.inline_completion.get({ bufnr = self.buf, on_accept = function() end })
  end
end

---Inserts the text here, in the order of the keys. The module would insert it later, and at the place of its request, even
---if text was typed since then.
function Builtin:accept(part)
  local done = sessions.Session.accept(self, part, function()
    self:clear()
    vim.schedule(function() -- after the module has dropped it
      if self:active() then
        self:ask()
      end
    end)
  end)
  return done
end

---The response to an automatic request has one suggestion, and the module cannot be made to send another request.
function Builtin:cycle(step)
  local answer = self.answer
  if not self:visible() or #answer.offers < 2 then
    return false
  end
  answer.index = (answer.index - 1 + step) % #answer.offers + 1
  vim.lsp.inline_completion.select({ bufnr = self.buf, count = step })
  self:shown()
  return true
end

---@param on boolean
function Builtin:switch(on)
  vim.lsp.inline_completion.enable(on, { bufnr = self.buf })
  if on and self:active() then
    self:ask()
  end
end

return M
