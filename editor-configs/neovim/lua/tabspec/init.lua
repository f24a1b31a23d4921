-- tabspec in Neovim: the next suggestion is on the screen when Tab is pressed. :help tabspec
local config = require('tabspec.config')
local api = vim.api
local M = {}

local enabled = true
local set_up = false

---Whether suggestions are on, for a buffer.
---@param buf? integer
function M.is_enabled(buf)
  local option = config.options.enabled
  return enabled and (type(option) ~= 'function' or option(buf or api.nvim_get_current_buf()) == true)
end

local function attach(buf)
  if config.wants(buf) then
    require('tabspec.server').start(buf)
  end
end

local function on_attach(buf, client)
  local builtin = config.options.backend == 'builtin' and require('tabspec.builtin').available()
  if vim.lsp.inline_completion and not builtin then
    -- Neovim's own ghost text, if it is enabled for all servers, would be drawn over this one.
    vim.lsp.inline_completion.enable(false, { client_id = client.id })
  end
  if not client:supports_method('textDocument/inlineCompletion') then
    vim.notify('tabspec: the server offers no inline completion', vim.log.levels.ERROR)
    return
  end
  local session = require(builtin and 'tabspec.builtin' or 'tabspec.session').attach(buf, client)
  require('tabspec.keys').map(buf)
  if config.options.next_edits ~= false then
    require('tabspec.edit.keys').map(buf)
  end
  require('tabspec.server').ask_status()
  if buf == api.nvim_get_current_buf() then
    session:follow()
  end
end

---Starts tabspec in all buffers of its file types, now and later.
---@param options? table see :help tabspec-options
function M.setup(options)
  config.set(options)
  enabled = config.options.enabled ~= false
  set_up = true
  local server = require('tabspec.server')
  local ghost = require('tabspec.ghost')
  ghost.define_highlights(config.options.highlight)
  local group = api.nvim_create_augroup('tabspec', {})
  local function on(event, callback, pattern)
    api.nvim_create_autocmd(event, { group = group, pattern = pattern, callback = callback })
  end
  on('ColorScheme', function()
    ghost.define_highlights(config.options.highlight)
  end)
  on('FileType', function(event)
    attach(event.buf)
  end)
  on('LspAttach', function(event)
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    if client and client.name == server.NAME then
      on_attach(event.buf, client)
    end
  end)
  on('LspDetach', function(event)
    local session = require('tabspec.session').get(event.buf)
    if session and session.client.id == event.data.client_id then
      require('tabspec.session').detach(event.buf)
      require('tabspec.keys').unmap(event.buf)
      require('tabspec.edit.keys').unmap(event.buf)
      require('tabspec.edit').forget()
    end
  end)
  on('InsertEnter', function(event)
    if require('tabspec.session').get(event.buf) then
      require('tabspec.keys').map(event.buf)
    end
  end)
  if config.options.next_edits ~= false then
    require('tabspec.edit').setup(group)
  end
  for _, buf in ipairs(api.nvim_list_bufs()) do
    attach(buf)
  end
end

---Whether setup() was called.
function M.is_set_up()
  return set_up
end

local function session()
  return require('tabspec.session').get()
end

---Whether a suggestion is shown in the current buffer.
function M.visible()
  local here = session()
  return here ~= nil and here:visible()
end

---Accepts the suggestion. This function and the next five return false if nothing is shown. They change text, so they
---cannot be used in an <expr> mapping.
function M.accept()
  local here = session()
  return here ~= nil and here:accept()
end

---Accepts the first word of the suggestion.
function M.accept_word()
  local here = session()
  return here ~= nil and here:accept(require('tabspec.offer').first_word)
end

---Accepts the suggestion up to its first line end.
function M.accept_line()
  local here = session()
  return here ~= nil and here:accept(require('tabspec.offer').first_line)
end

---Shows the next suggestion for this place. If none is shown, it requests them.
function M.next()
  local here = session()
  return here ~= nil and here:cycle(1)
end

---Shows the previous suggestion for this place. If none is shown, it requests them.
function M.prev()
  local here = session()
  return here ~= nil and here:cycle(-1)
end

---Refuses the suggestion: it is not offered at this place again.
function M.dismiss()
  local here = session()
  return here ~= nil and here:dismiss()
end

---Goes to the next edit, accepts it if the cursor is there, or shows it where there is only a hint. False if there is none.
function M.edit()
  return require('tabspec.edit').advance()
end

---Refuses the next edit: it is not offered at this place again. False if none is shown.
function M.put_away()
  return require('tabspec.edit').put_away()
end

---Turns suggestions off, or on again.
function M.toggle()
  enabled = not enabled
  require('tabspec.edit').forget()
  require('tabspec.session').each(function(buf, here)
    here:switch(M.is_enabled(buf))
  end)
  vim.cmd.redrawstatus()
end

---Starts the server again, or for the first time.
function M.restart()
  local server = require('tabspec.server')
  server.stop(function()
    for _, buf in ipairs(api.nvim_list_bufs()) do
      if config.wants(buf) then
        server.start(buf)
      end
    end
  end)
end

---The state in one word, for the status line. Empty in buffers without suggestions.
---@return string
function M.status()
  return require('tabspec.status').line(api.nvim_get_current_buf())
end

return M
