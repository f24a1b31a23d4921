-- The keys in Insert mode. Each acts while a suggestion is shown; otherwise it does what it did before.
local config = require('tabspec.config')
local sessions = require('tabspec.session')
local api = vim.api
local M = {}

-- The order in which they are listed.
M.actions = { 'accept', 'accept_word', 'accept_line', 'next', 'prev', 'dismiss' }

local function fallback(action)
  return ('<Plug>(tabspec-before-%s)'):format(action)
end

---Whether a mapping was made by this plugin.
---@param mapping table of nvim_get_keymap()
function M.owned(mapping)
  return (mapping.desc or ''):match('^tabspec: ') ~= nil
end

---@param mappings table[] of nvim_get_keymap()
---@param lhs string
---@return table?
function M.find(mappings, lhs)
  local raw = vim.keycode(lhs)
  for _, mapping in ipairs(mappings) do
    if mapping.lhsraw == raw or mapping.lhsrawalt == raw then
      return mapping
    end
  end
end

---Copies the user's mapping of a key, exactly as it is (<expr>, recursive, script-local or a Lua function), to a second
---name. Without such a mapping, the second name is mapped to the key itself.
local function keep(buf, action, lhs, mapping)
  local plug = fallback(action)
  if action == 'accept' then
    -- Neovim itself maps Tab in Insert mode, for snippets; any other mapping is the user's, and not for next edits.
    vim.b[buf].tabspec_own_accept = mapping ~= nil and not (mapping.desc or ''):match('^vim%.snippet%.jump')
  end
  if not mapping then
    vim.keymap.set('i', plug, lhs, { buffer = buf })
    return
  end
  local copy = vim.tbl_extend('force', mapping, { lhs = plug, lhsraw = vim.keycode(plug), buffer = 1 })
  copy.lhsrawalt = nil
  api.nvim_buf_call(buf, function()
    vim.fn.mapset('i', false, copy)
  end)
end

---Maps one key in a buffer.
local function take(buf, action, lhs)
  local mine = M.find(api.nvim_buf_get_keymap(buf, 'i'), lhs)
  local global = M.find(api.nvim_get_keymap('i'), lhs)
  if not mine then
    keep(buf, action, lhs, global)
  elseif not M.owned(mine) then
    keep(buf, action, lhs, mine)
  elseif vim.b[buf]['tabspec_global_' .. action] then
    keep(buf, action, lhs, global) -- plugins that load late map their keys late
    return
  else
    return
  end
  vim.b[buf]['tabspec_global_' .. action] = mine == nil
  vim.keymap.set('i', lhs, function()
    local session = sessions.get(buf)
    local edits, acts = require('tabspec.edit'), nil
    if session and session:visible() then
      acts = action
    elseif action == 'accept' and edits.takes_tab() then
      acts = 'edit'
    elseif action == 'dismiss' and edits.visible() then
      acts = 'put_away'
    end
    return acts and ("<Cmd>lua require('tabspec').%s()<CR>"):format(acts) or fallback(action)
  end, { buffer = buf, expr = true, remap = true, silent = true, desc = 'tabspec: ' .. action:gsub('_', ' ') })
end

---Maps the keys in a buffer. It is called again at every InsertEnter, and then only checks whether the user's mappings
---have changed.
---@param buf integer
function M.map(buf)
  for _, action in ipairs(M.actions) do
    local lhs = config.options.keymaps[action]
    if lhs and lhs ~= '' then
      take(buf, action, lhs)
    end
  end
end

---Removes the mappings from a buffer.
---@param buf integer
function M.unmap(buf)
  if not api.nvim_buf_is_valid(buf) then
    return
  end
  for _, action in ipairs(M.actions) do
    local lhs = config.options.keymaps[action]
    local mine = lhs and M.find(api.nvim_buf_get_keymap(buf, 'i'), lhs)
    if mine and M.owned(mine) then
      local before = M.find(api.nvim_buf_get_keymap(buf, 'i'), fallback(action))
      vim.keymap.del('i', lhs, { buffer = buf })
      vim.keymap.del('i', fallback(action), { buffer = buf })
      if before and not vim.b[buf]['tabspec_global_' .. action] then
        local copy = vim.tbl_extend('force', before, { lhs = lhs, lhsraw = vim.keycode(lhs) })
        api.nvim_buf_call(buf, function()
          vim.fn.mapset('i', false, copy)
        end)
      end
      vim.b[buf]['tabspec_global_' .. action] = nil
    end
  end
end

---Whether a key is mapped as in the options in this buffer. The user may have mapped it later.
function M.is_mapped(buf, action)
  local lhs = config.options.keymaps[action]
  local mine = lhs and M.find(api.nvim_buf_get_keymap(buf, 'i'), lhs)
  return mine ~= nil and mine ~= false and M.owned(mine)
end

return M
