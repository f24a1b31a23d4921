-- The cursor's place, and the text that was typed since an earlier place. Columns are byte offsets, rows count from 0.
local api = vim.api
local M = {}

---@class tabspec.Place
---@field tick integer the buffer's changedtick
---@field row integer
---@field col integer
---@field before string the line up to the cursor
---@field after string the line from the cursor on

---The cursor's place in the current window, which shows `buf`.
---@param buf integer
---@return tabspec.Place
function M.here(buf)
  local row, col = unpack(api.nvim_win_get_cursor(0))
  local line = api.nvim_buf_get_lines(buf, row - 1, row, false)[1] or ''
  return {
    tick = api.nvim_buf_get_changedtick(buf),
    row = row - 1,
    col = col,
    before = line:sub(1, col),
    after = line:sub(col + 1),
  }
end

---@param a? tabspec.Place
---@param b tabspec.Place
function M.same(a, b)
  return a ~= nil and a.tick == b.tick and a.row == b.row and a.col == b.col
end

---The text that was typed between two places of a buffer; nil if there were other changes around the cursor.
---This compares the lines, not marks, because a mark moves when text before it is deleted.
---@param buf integer
---@param from tabspec.Place
---@param to tabspec.Place
---@return string?
function M.typed(buf, from, to)
  if to.after ~= from.after or to.row < from.row or (to.row == from.row and to.col < from.col) then
    return nil
  end
  local first = api.nvim_buf_get_lines(buf, from.row, from.row + 1, false)[1]
  if not first or first:sub(1, from.col) ~= from.before then
    return nil
  end
  return table.concat(api.nvim_buf_get_text(buf, from.row, from.col, to.row, to.col, {}), '\n')
end

return M
