-- The keys of next edits: Tab in Normal mode, and an Alt chord that also works in Insert mode and with a selection.
local config = require('tabspec.config')
local keys = require('tabspec.keys')
local api = vim.api
local M = {}

---@param buf integer
---@return table? mine, table? other the mapping of a key that this module made, or another one
local function mapped(buf, mode, lhs)
  local here = keys.find(api.nvim_buf_get_keymap(buf, mode), lhs)
  if here and keys.owned(here) then
    return here, nil
  end
  return nil, here or keys.find(api.nvim_get_keymap(mode), lhs)
end

---The keys with their modes, and when each of them acts.
local function wanted()
  local keymaps, edits = config.options.keymaps, require('tabspec.edit')
  local found = { { 'n', keymaps.edit_normal, edits.takes_tab } }
  for _, mode in ipairs({ 'n', 'i', 'x', 's' }) do
    table.insert(found, { mode, keymaps.edit, edits.takes_chord })
  end
  return found
end

---The keys that end what hides the edit: a menu of completions, or a selection. In Select mode, where a snippet's
---placeholder is replaced by what is typed, the user goes on typing.
local function leaving(mode)
  if mode == 'i' then
    return vim.fn.pumvisible() == 1 and '<C-e>' or ''
  end
  return ({ x = '<Esc>', s = '<Esc>i' })[mode] or ''
end

---Maps the keys in a buffer, except those that the user has mapped.
---@param buf integer
function M.map(buf)
  for _, key in ipairs(wanted()) do
    local mode, lhs, acts = unpack(key)
    local mine, other
    if lhs and lhs ~= '' then
      mine, other = mapped(buf, mode, lhs)
      if not mine and not other then
        vim.keymap.set(mode, lhs, function()
          return acts() and leaving(mode) .. "<Cmd>lua require('tabspec').edit()<CR>" or lhs
        end, { buffer = buf, expr = true, silent = true, desc = 'tabspec: next edit' })
      end
    end
  end
end

---@param buf integer
function M.unmap(buf)
  if not api.nvim_buf_is_valid(buf) then
    return
  end
  for _, key in ipairs(wanted()) do
    local mode, lhs = key[1], key[2]
    if lhs and lhs ~= '' and mapped(buf, mode, lhs) then
      vim.keymap.del(mode, lhs, { buffer = buf })
    end
  end
end

---Whether Tab goes to edits in Normal mode in this buffer.
function M.is_mapped(buf)
  local lhs = config.options.keymaps.edit_normal
  return lhs and lhs ~= '' and mapped(buf, 'n', lhs) ~= nil
end

return M
