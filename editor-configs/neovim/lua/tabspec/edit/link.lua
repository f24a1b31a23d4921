-- One edit of a chain, placed in a buffer: rows and byte columns in place of LSP's positions.
local diff = require('tabspec.edit.diff')
local api = vim.api
local M = {}

---@class tabspec.Link
---@field item table the server's
---@field buf integer
---@field first integer[] row and byte column, from 0, where the range begins
---@field last integer[] where it ends
---@field lines string[] what takes its place
---@field jump integer[] where the change begins
---@field change tabspec.Change its lines before and after

---@param buf integer
---@param row integer
---@return string
local function line_of(buf, row)
  return api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ''
end

---A position of LSP as row and byte column. The line after the last one is the end of the last.
local function place(buf, position, encoding)
  local count = api.nvim_buf_line_count(buf)
  if position.line >= count then
    return { count - 1, #line_of(buf, count - 1) }
  end
  return { position.line, vim.str_byteindex(line_of(buf, position.line), encoding, position.character, false) }
end

---The edit as it is in its buffer now; nil if the buffer is not loaded.
---@param item table
---@param encoding string
---@return tabspec.Link?
function M.of(item, encoding)
  local buf = vim.uri_to_bufnr(item.textDocument.uri)
  if not api.nvim_buf_is_loaded(buf) then
    return nil
  end
  local first, last = place(buf, item.range.start, encoding), place(buf, item.range['end'], encoding)
  local lines = vim.split(item.text:gsub('\r\n?', '\n'), '\n', { plain = true })
  if item.range['end'].line > last[1] and lines[#lines] == '' then
    -- A buffer has the line end after its last line by itself. Where whole lines go, the one before them goes instead.
    if #lines > 1 then
      table.remove(lines)
    elseif first[2] == 0 and first[1] > 0 then
      first = { first[1] - 1, #line_of(buf, first[1] - 1) }
    end
  end
  local old = api.nvim_buf_get_lines(buf, first[1], last[1] + 1, false)
  local new = vim.deepcopy(lines)
  new[1] = old[1]:sub(1, first[2]) .. new[1]
  new[#new] = new[#new] .. old[#old]:sub(last[2] + 1)
  return {
    item = item,
    buf = buf,
    first = first,
    last = last,
    lines = lines,
    jump = place(buf, item.jump, encoding),
    change = diff.change(first[1], old, new),
  }
end

---Whether a row is one of those that the edit touches.
---@param link tabspec.Link
---@param row integer
function M.touches(link, row)
  local change = link.change
  return row == link.jump[1] or (row >= change.row and row < change.row + math.max(#change.old, 1))
end

---Makes the edit in its buffer as an undo step of its own, and puts the cursor of the current window where it says.
---@param link tabspec.Link
---@param encoding string
function M.apply(link, encoding)
  local buf = link.buf
  vim.bo[buf].undolevels = vim.bo[buf].undolevels -- closes the undo block, see :help undo-break
  api.nvim_buf_set_text(buf, link.first[1], link.first[2], link.last[1], link.last[2], link.lines)
  local cursor = place(buf, link.item.cursor, encoding)
  api.nvim_win_set_cursor(0, { cursor[1] + 1, cursor[2] })
  vim.bo[buf].undolevels = vim.bo[buf].undolevels
end

---Whether two of the server's edits are the same.
function M.same(a, b)
  return a ~= nil
    and b ~= nil
    and a.textDocument.uri == b.textDocument.uri
    and a.text == b.text
    and vim.deep_equal(a.range, b.range)
end

return M
