-- A next edit on the screen: what goes is struck out, what comes stands beside or below it; a hint if it is out of sight.
local diff = require('tabspec.edit.diff')
local api = vim.api
local M = {}

M.namespace = api.nvim_create_namespace('tabspec.edit')

-- What comes is quoted in a hint up to so many characters: a hint is read at a glance.
local QUOTED = 24

---Defines the highlight groups, where neither the user nor the colour scheme did.
function M.define_highlights()
  local gone = api.nvim_get_hl(0, { name = 'DiffDelete', link = false })
  api.nvim_set_hl(0, 'TabspecDeleted', {
    default = true,
    strikethrough = true,
    fg = gone.fg,
    bg = gone.bg,
    ctermfg = gone.ctermfg,
    ctermbg = gone.ctermbg,
  })
  api.nvim_set_hl(0, 'TabspecInserted', { default = true, link = 'DiffAdd' })
  api.nvim_set_hl(0, 'TabspecSign', { default = true, link = 'DiagnosticHint' })
end

local drawn = {} ---@type table<integer, true> buffers with marks

local function mark(buf, row, col, options)
  drawn[buf] = true
  api.nvim_buf_set_extmark(buf, M.namespace, row, col, options)
end

---A line number in another colour, and a sign if the sign column is there anyway: one that appears moves all text.
local function sign(buf, row)
  local column = vim.wo.signcolumn
  mark(buf, row, 0, {
    number_hl_group = 'TabspecSign',
    sign_text = (column:match('^yes') or column == 'number') and '▸' or nil,
    sign_hl_group = 'TabspecSign',
  })
end

local function words(buf, row, old, new)
  for _, piece in ipairs(diff.pieces(old, new)) do
    local stop = piece.col + #piece.old
    if piece.old ~= '' then
      mark(buf, row, piece.col, { end_col = stop, hl_group = 'TabspecDeleted' })
    end
    if piece.new ~= '' then
      mark(buf, row, stop, { virt_text = { { piece.new, 'TabspecInserted' } }, virt_text_pos = 'inline' })
    end
  end
end

---@param link tabspec.Link
---@param below boolean whether lines may be inserted: above the cursor they would move what is being read
local function lines(link, below)
  local buf, change = link.buf, link.change
  for at, old in ipairs(change.old) do
    if old ~= '' then
      mark(buf, change.row + at - 1, 0, { end_col = #old, hl_group = 'TabspecDeleted' })
    end
  end
  if #change.new == 0 then
    return
  end
  local last = #change.old > 0 and change.row + #change.old - 1 or change.row - 1
  if below then
    local new = vim.tbl_map(function(line)
      return { { line == '' and ' ' or line:gsub('\t', (' '):rep(vim.bo[buf].tabstop)), 'TabspecInserted' } }
    end, change.new)
    mark(buf, math.max(last, 0), 0, { virt_lines = new, virt_lines_above = last < 0 })
  else
    local note = ('+%d line%s'):format(#change.new, #change.new == 1 and '' or 's')
    mark(buf, math.max(last, 0), 0, { virt_text = { { note, 'TabspecInserted' } }, virt_text_pos = 'eol' })
  end
end

---Whether a line is in the current window, and not in a closed fold.
local function in_sight(row)
  return row >= vim.fn.line('w0') - 1 and row <= vim.fn.line('w$') - 1 and vim.fn.foldclosed(row + 1) < 0
end

local function quoted(link)
  local change = link.change
  local text = change.new[1] or ''
  if #change.old == #change.new and #change.new > 0 then
    text = diff.pieces(change.old[1], text)[1].new
  end
  text = vim.trim(text)
  if vim.fn.strchars(text) > QUOTED then
    text = vim.fn.strcharpart(text, 0, QUOTED - 1) .. '…'
  end
  return text == '' and '' or ' ' .. text
end

---@param link tabspec.Link
---@param key string the key that goes there
local function hint(link, key)
  local here = api.nvim_get_current_buf()
  local row = api.nvim_win_get_cursor(0)[1] - 1
  local where
  if link.buf ~= here then
    where = ('→ %s:%d'):format(vim.fs.basename(api.nvim_buf_get_name(link.buf)), link.jump[1] + 1)
  else
    where = ('%s %d'):format(link.jump[1] < row and '↑' or '↓', link.jump[1] + 1)
  end
  mark(here, row, 0, {
    virt_text = { { (' %s %s%s'):format(key, where, quoted(link)), 'TabspecHint' } },
    virt_text_pos = 'eol_right_align',
    hl_mode = 'combine',
  })
end

---Draws an edit in the current window, in place of what was drawn before.
---@param link tabspec.Link
---@param key string the name of the key that goes there
---@param revealed boolean whether more than a hint may be shown
function M.show(link, key, revealed)
  M.hide()
  local here = api.nvim_get_current_buf() == link.buf
  if here then
    sign(link.buf, link.jump[1])
  end
  local change = link.change
  if revealed and here then
    if #change.old == #change.new then
      for at, old in ipairs(change.old) do
        words(link.buf, change.row + at - 1, old, change.new[at])
      end
    else
      lines(link, change.row >= api.nvim_win_get_cursor(0)[1] - 1)
    end
  end
  if not revealed or not here or not in_sight(link.jump[1]) then
    hint(link, key)
  end
end

---Nothing of an edit is on the screen any more.
function M.hide()
  for buf in pairs(drawn) do
    if api.nvim_buf_is_loaded(buf) then
      api.nvim_buf_clear_namespace(buf, M.namespace, 0, -1)
    end
  end
  drawn = {}
end

return M
