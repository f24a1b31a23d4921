-- Defines :Tabspec. Nothing starts before require('tabspec').setup().
if vim.g.loaded_tabspec then
  return
end
vim.g.loaded_tabspec = true

if vim.fn.has('nvim-0.11') == 0 then
  vim.notify('tabspec wants Neovim 0.11 or newer', vim.log.levels.WARN)
  return
end

local subcommands = {
  toggle = function()
    require('tabspec').toggle()
  end,
  restart = function()
    require('tabspec').restart()
  end,
  status = function()
    local server = require('tabspec.server')
    server.ask_status(function()
      print(server.describe())
    end)
  end,
  health = function()
    vim.cmd.checkhealth('tabspec')
  end,
  log = function()
    vim.cmd.tabedit(vim.fn.fnameescape(vim.lsp.log and vim.lsp.log.get_filename() or vim.lsp.get_log_path()))
  end,
}

vim.api.nvim_create_user_command('Tabspec', function(call)
  local run = subcommands[call.args]
  if run then
    run()
  else
    local names = vim.tbl_keys(subcommands)
    table.sort(names)
    vim.notify(('tabspec: unknown command "%s"; known are: %s'):format(call.args, table.concat(names, ', ')), vim.log.levels.ERROR)
  end
end, {
  nargs = 1,
  desc = 'tabspec: toggle, restart, status, health, log',
  complete = function(start)
    return vim.tbl_filter(function(name)
      return vim.startswith(name, start)
    end, vim.tbl_keys(subcommands))
  end,
})
