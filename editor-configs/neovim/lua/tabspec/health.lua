-- :checkhealth tabspec
local config = require('tabspec.config')
local health = vim.health
local M = {}

local function check_editor()
  health.start('Neovim')
  if vim.fn.has('nvim-0.11') == 1 then
    health.ok('version ' .. tostring(vim.version()))
  else
    health.error('version ' .. tostring(vim.version()) .. ' is too old', 'Use Neovim 0.11 or newer')
  end
  if not require('tabspec').is_set_up() then
    health.error('setup() was not called', "Add require('tabspec').setup() to your init.lua")
  end
  for _, problem in ipairs(config.problems) do
    health.warn(problem, 'See :help tabspec-options')
  end
  if #config.problems == 0 then
    health.ok('the options are right')
  end
  if config.options.backend == 'builtin' then
    if require('tabspec.builtin').available() then
      health.ok('vim.lsp.inline_completion asks and draws (backend)')
    else
      health.warn('this Neovim has no vim.lsp.inline_completion: the plugin draws', 'Use Neovim 0.12 or newer')
    end
  end
end

local function check_server()
  health.start('Language server')
  local server = require('tabspec.server')
  local cmd, how = server.find()
  if not cmd then
    health.error(how)
    return
  end
  if type(cmd) == 'table' and vim.fn.executable(cmd[1]) == 0 then
    health.error(('cannot run "%s" (%s)'):format(cmd[1], how))
    return
  end
  health.ok(('%s (%s)'):format(type(cmd) == 'table' and table.concat(cmd, ' ') or 'a function', how))
  local client = server.client()
  if not client then
    health.warn('not running', {
      'It starts when a file of one of these types is opened: ' .. vim.inspect(config.options.filetypes),
      'After a failure: :Tabspec restart, and :Tabspec log for the reason',
    })
    return
  end
  local buffers = vim.tbl_keys(client.attached_buffers)
  health.ok(('running, for %d buffer%s'):format(#buffers, #buffers == 1 and '' or 's'))
  if client:supports_method('textDocument/inlineCompletion') then
    health.ok('offers inline completion')
  else
    health.error('offers no inline completion', 'Is this a tabspec server? See the command above')
  end
  local answer = client:request_sync('tabspec/status', vim.empty_dict(), 5000)
  if answer and not answer.err then
    health.info(vim.inspect(answer.result))
  else
    health.warn('does not answer tabspec/status within 5 s', 'See :Tabspec log')
  end
end

local function check_keys()
  health.start('Keys in Insert mode')
  local keys, sessions = require('tabspec.keys'), require('tabspec.session')
  local any = false
  sessions.each(function(buf)
    any = true
    for _, action in ipairs(keys.actions) do
      local lhs = config.options.keymaps[action]
      local where = ('%s: %s, buffer %d'):format(lhs or 'no key', action, buf)
      if not lhs then
        health.info(where)
      elseif keys.is_mapped(buf, action) then
        health.ok(where)
      else
        health.warn(where .. ' was mapped by something else later', "Map it later still, to require('tabspec')." .. action)
      end
    end
  end)
  if not any then
    health.info('no buffer has suggestions now')
  end
  if vim.fn.exists('*copilot#Accept') == 1 then
    health.warn('Copilot is loaded too', 'Two plugins drawing suggestions get in the way of each other: turn one off')
  end
end

function M.check()
  check_editor()
  check_server()
  check_keys()
end

return M
