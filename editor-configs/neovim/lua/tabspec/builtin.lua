-- The option backend = "builtin": Neovim 0.12's own vim.lsp.inline_completion asks and draws. What it lacks is done here:
-- to ask at once after an accept, to let go of text that disagrees, words and lines, refusals, one undo step.
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

---Has the module ask now. It asks 200 ms after a key, by vim.defer_fn() in its autocommands, and has no function for it:
---so while these run for the buffer, what is deferred is done. Should a later Neovim do it in another way, the request
---comes after its own wait.
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

---What the module is to draw of an answer: it would draw the line ends of a file with CRLF as ^M.
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

---Hears the answers to the module's requests: it keeps them to itself.
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

---The module's autocommands come first; then what it still shows is right, or goes.
function Builtin:follow(entering)
  if sessions.get(self.buf) ~= self or not self:active(entering) then
    return self:forget()
  end
  if self.answer and not self:rest(places.here(self.buf)) then
    self:forget()
  end
end

---The module draws; what it draws of an answer that is not right any more is taken away.
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

---The module forgets what it shows: it is told to accept it, and then not to.
function Builtin:clear()
  if not api.nvim_buf_is_valid(self.buf) then
    return
  end
  api.nvim_buf_clear_namespace(self.buf, namespace, 0, -1)
  if vim.lsp.inline_completion.is_enabled({ bufnr = self.buf }) then
    vim.lsp.inline_completion.get({ bufnr = self.buf, on_accept = function() end })
  end
end

---The text is inserted in the order of the keys, and not by the module, which does that later and at the place where it
---asked, whatever was typed since.
function Builtin:accept(part)
  local done = sessions.Session.accept(self, part, function()
    self:clear()
    vim.schedule(function() -- behind the module's own forgetting
      if self:active() then
        self:ask()
      end
    end)
  end)
  return done
end

---The answer to an automatic request holds one suggestion; there is no way to have the module make another request.
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
