-- The options of setup(): their defaults, and the check of the given ones.
local M = {}

---@class tabspec.Options
M.defaults = {
  -- Command of the language server, as a list; or a function, as vim.lsp.rpc.connect() makes. nil: it is searched for.
  cmd = nil,
  -- What makes requests and draws: "own", or "builtin" for Neovim 0.12's vim.lsp.inline_completion (on 0.11 it is "own").
  backend = 'own',
  -- File types that get suggestions: a list, or "*" for all. These are what the bundled model was trained on.
  filetypes = { 'python', 'javascript', 'javascriptreact', 'typescript', 'typescriptreact', 'svelte', 'vue', 'rust', 'go' },
  -- Suggest from the start: a boolean, or a function of the buffer that returns one.
  enabled = true,
  -- Next edits, which change text elsewhere: true, false, or "hint" for a hint only until the key `edit` is pressed.
  next_edits = true,
  -- Keys, false for none. They are for Insert mode, `edit_normal` for Normal mode, and `edit` for both. Each does what it did before while no suggestion is shown.
  keymaps = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-Down>',
    next = '<M-n>',
    prev = '<M-p>',
    dismiss = '<C-]>',
    edit = '<M-e>',
    edit_normal = '<Tab>',
  },
  -- Milliseconds without a key before a request. 0: a request at every key, since the server joins and cancels requests.
  debounce_ms = 0,
  -- Attributes of the suggestion, as for nvim_set_hl(). nil: a grey, or those of the colour scheme.
  highlight = nil,
  -- Settings of the server, sent as initialization options: see its table of settings.
  settings = {},
  -- A file or folder of these names marks the workspace folder.
  root_markers = { '.git', 'pyproject.toml', 'setup.cfg', 'Makefile' },
}

local types = {
  cmd = { 'table', 'function', 'nil' },
  backend = { 'string' },
  filetypes = { 'table', 'string' },
  enabled = { 'boolean', 'function' },
  next_edits = { 'boolean', 'string' },
  keymaps = { 'table', 'boolean' },
  debounce_ms = { 'number' },
  highlight = { 'table', 'nil' },
  settings = { 'table' },
  root_markers = { 'table' },
}

M.options = vim.deepcopy(M.defaults)
M.problems = {} ---@type string[]

---@param names table<string, any>
local function listed(names)
  local keys = vim.tbl_keys(names)
  table.sort(keys)
  return table.concat(keys, ', ')
end

---The valid options, and a line about each invalid one.
---@param given? table
---@return tabspec.Options options, string[] problems
function M.check(given)
  local good, problems = {}, {}
  for name, value in pairs(given or {}) do
    if not types[name] then
      table.insert(problems, ('unknown option "%s"; known are: %s'):format(name, listed(types)))
    elseif not vim.tbl_contains(types[name], type(value)) then
      local wanted = table.concat(types[name], ' or ')
      table.insert(problems, ('option "%s" is a %s, not a %s'):format(name, wanted, type(value)))
    else
      good[name] = value
    end
  end
  if good.backend and good.backend ~= 'own' and good.backend ~= 'builtin' then
    table.insert(problems, ('option "backend" is "own" or "builtin", not "%s"'):format(good.backend))
    good.backend = nil
  end
  if type(good.next_edits) == 'string' and good.next_edits ~= 'hint' then
    table.insert(problems, ('option "next_edits" is true, false or "hint", not "%s"'):format(good.next_edits))
    good.next_edits = nil
  end
  if good.keymaps == true then
    good.keymaps = nil
  elseif good.keymaps == false then
    good.keymaps = vim.tbl_map(function()
      return false
    end, M.defaults.keymaps)
  end
  for name, key in pairs(good.keymaps or {}) do
    if M.defaults.keymaps[name] == nil then
      table.insert(problems, ('unknown key "%s"; known are: %s'):format(name, listed(M.defaults.keymaps)))
      good.keymaps = vim.tbl_extend('force', {}, good.keymaps)
      good.keymaps[name] = nil
    elseif type(key) ~= 'string' and key ~= false then
      table.insert(problems, ('the key for "%s" is a string or false, not a %s'):format(name, type(key)))
      good.keymaps = vim.tbl_extend('force', good.keymaps, { [name] = M.defaults.keymaps[name] })
    end
  end
  table.sort(problems)
  return vim.tbl_deep_extend('force', vim.deepcopy(M.defaults), good), problems
end

---@param given? table
function M.set(given)
  M.options, M.problems = M.check(given)
  if #M.problems > 0 then
    -- short, so that Neovim does not wait for Enter; :checkhealth shows the rest
    vim.notify(('tabspec: %d wrong in setup(), see :checkhealth tabspec'):format(#M.problems), vim.log.levels.WARN)
  end
end

---Whether a buffer may get suggestions.
---@param buf integer
function M.wants(buf)
  if not vim.api.nvim_buf_is_loaded(buf) or vim.bo[buf].buftype ~= '' then
    return false
  end
  local wanted, filetype = M.options.filetypes, vim.bo[buf].filetype
  return wanted == '*' or (type(wanted) == 'table' and vim.tbl_contains(wanted, filetype)) or wanted == filetype
end

return M
