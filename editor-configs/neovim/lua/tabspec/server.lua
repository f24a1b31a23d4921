-- The language server: finds and starts it, and keeps the status that it reports.
local config = require('tabspec.config')
local M = {}

M.NAME = 'tabspec'
M.status = nil ---@type table? the server's last status: the result of tabspec/status
M.failure = nil ---@type string? why there is no server

-- Python runs or searches for code that these variables name ('' counts as unset), and would import from the working
-- directory first. Code in the folder being edited must not run. tabspec/system/processes.py has the same list.
local ENVIRONMENT = { PYTHONSAFEPATH = '1' }
for _, name in ipairs({
  'BREAKPOINT', 'EXECUTABLE', 'HOME', 'INSPECT', 'PATH', 'PLATLIBDIR', 'PYCACHEPREFIX', 'STARTUP', 'WARNINGS',
}) do
  ENVIRONMENT['PYTHON' .. name] = ''
end

---The repository that contains this plugin: REPOSITORY/editor-configs/neovim/lua/tabspec/server.lua.
local function repository()
  local file = debug.getinfo(1, 'S').source:sub(2)
  return vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.uv.fs_realpath(file) or file)))))
end

---The command that starts the server, and how it was found. nil if there is none; then the second value is an instruction for the user.
---@return string[]|function|nil cmd, string how
function M.find()
  local own = config.options.cmd
  if own then
    return own, 'option cmd'
  end
  local environment = vim.env.TABSPEC_LSP
  if environment and environment ~= '' then
    local words = vim.split(environment, '%s+', { trimempty = true })
    return #words == 1 and { words[1], '--stdio' } or words, '$TABSPEC_LSP'
  end
  local program = vim.fn.exepath('tabspec-lsp')
  if program ~= '' then
    return { program, '--stdio' }, 'tabspec-lsp on PATH'
  end
  for _, folder in ipairs({ '.venv', 'venv' }) do
    local path = vim.fs.joinpath(repository(), folder, 'bin', 'tabspec-lsp')
    if vim.fn.executable(path) == 1 then
      return { path, '--stdio' }, 'the virtual environment beside the plugin'
    end
  end
  return nil, 'tabspec-lsp was not found: install tabspec (pip install .), or set cmd in setup() or $TABSPEC_LSP'
end

---@return vim.lsp.Client?
function M.client()
  return vim.lsp.get_clients({ name = M.NAME })[1]
end

local function fail(why)
  M.failure, M.status = why, nil
  vim.cmd.redrawstatus()
end

local function ready(status)
  return status ~= nil and status.model ~= nil and status.model.state == 'ready'
end

local function update(status)
  if type(status) == 'table' then
    local before = M.status
    M.status = status
    if ready(status) and not ready(before) then
      -- requests that were made while the model was loading got empty responses
      require('tabspec.session').each(function(_, session)
        session:again()
      end)
      require('tabspec.edit').again()
    end
    vim.api.nvim_exec_autocmds('User', { pattern = 'TabspecStatus', modeline = false })
    vim.cmd.redrawstatus()
  end
end

---The failure, or else the server's status, for :Tabspec status.
---@return string
function M.describe()
  if M.failure then
    return 'tabspec: ' .. M.failure
  end
  return M.status and vim.inspect(M.status) or 'tabspec: not running in any buffer'
end

---Requests the server's status. The server also sends it when it changes.
---@param done? fun(status?: table)
function M.ask_status(done)
  local client = M.client()
  if not client then
    return done and done(nil)
  end
  client:request('tabspec/status', vim.empty_dict(), function(err, result)
    if not err then
      update(result)
    end
    if done then
      done(not err and result or nil)
    end
  end)
end

---Uses one server for all folders, so that there is one model in memory. Further folders are added to it.
local function reuse(client, wanted)
  if client.name ~= M.NAME or client:is_stopped() then
    return false
  end
  local root = wanted.root_dir
  local uri = root and vim.uri_from_fname(root)
  local known = client.workspace_folders or {}
  for _, folder in ipairs(known) do
    if folder.uri == uri then
      return true
    end
  end
  if uri then
    local folder = { uri = uri, name = root }
    client.workspace_folders = vim.list_extend({ folder }, known)
    client:notify('workspace/didChangeWorkspaceFolders', { event = { added = { folder }, removed = {} } })
  end
  return true
end

---Starts the server for a buffer, or attaches the buffer to the running one.
---@param buf integer
function M.start(buf)
  local cmd, how = M.find()
  if not cmd then
    return fail(how)
  end
  if type(cmd) == 'table' and vim.fn.executable(cmd[1]) == 0 then
    return fail(('cannot run "%s" (%s)'):format(cmd[1], how))
  end
  M.failure = nil
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.textDocument.inlineCompletion = { dynamicRegistration = false } -- Neovim 0.11 does not set it
  local settings = vim.tbl_extend('keep', config.options.settings, { status_notifications = true })
  local name = vim.api.nvim_buf_get_name(buf)
  vim.lsp.start({
    name = M.NAME,
    cmd = cmd,
    cmd_env = ENVIRONMENT,
    root_dir = vim.fs.root(buf, config.options.root_markers) or (name ~= '' and vim.fs.dirname(name)) or vim.uv.cwd(),
    capabilities = capabilities,
    init_options = settings,
    settings = { tabspec = settings },
    handlers = {
      ['tabspec/statusChanged'] = function(_, result)
        update(result)
      end,
    },
    on_exit = function(code, signal)
      vim.schedule(function()
        M.status = nil
        if not M.stopping and vim.v.exiting == vim.NIL then
          fail(('the server ended with %s; :Tabspec log shows why, :Tabspec restart starts it again'):format(
            signal ~= 0 and 'signal ' .. signal or 'exit code ' .. code
          ))
        end
        M.stopping = nil
      end)
    end,
  }, { bufnr = buf, reuse_client = reuse })
end

---Stops the server and calls `done` when it has exited.
---@param done fun()
function M.stop(done)
  local client = M.client()
  if not client then
    return done()
  end
  M.stopping = true
  client:stop()
  local left = 30 -- tenths of a second; a server that has not stopped after three seconds is killed
  local function look()
    if client:is_stopped() and not M.client() then
      return done()
    end
    left = left - 1
    if left == 0 then
      client:stop(true)
    end
    vim.defer_fn(look, 100)
  end
  look()
end

return M
