-- What an edit changes, for the screen: whole lines that go or come, and words inside lines. Pure functions.
local M = {}

-- Where more pieces of a line differ than these, one piece from the first change to the last is easier to read.
local MOST_PIECES = 3

local function difference(a, b)
  local compare = vim.text and vim.text.diff or vim.diff
  return compare(table.concat(a, '\n') .. '\n', table.concat(b, '\n') .. '\n', {
    result_type = 'indices',
    algorithm = 'minimal',
  })
end

---A line as words, runs of blanks, and single other characters. Bytes beyond ASCII count as letters.
---@param line string
---@return string[]
local function words(line)
  local found, at = {}, 1
  while at <= #line do
    local word = line:match('^[%w_\128-\255]+', at) or line:match('^%s+', at) or line:sub(at, at)
    table.insert(found, word)
    at = at + #word
  end
  return found
end

local function joined(list, first, count)
  if count == 0 then
    return ''
  end
  return table.concat(list, '', first, first + count - 1)
end

---@class tabspec.Piece
---@field col integer bytes of the old line before it
---@field old string what goes
---@field new string what comes in its place

---The pieces in which two lines differ, from left to right.
---@param old string
---@param new string
---@return tabspec.Piece[]
function M.pieces(old, new)
  local a, b = words(old), words(new)
  local found = {}
  for _, hunk in ipairs(difference(a, b)) do
    local from, gone, to, come = unpack(hunk)
    -- Where nothing goes, `from` is the word before; where nothing comes, `to` is.
    local first = gone > 0 and from or from + 1
    local other = come > 0 and to or to + 1
    table.insert(found, {
      col = #joined(a, 1, first - 1),
      old = joined(a, first, gone),
      new = joined(b, other, come),
    })
  end
  if #found > MOST_PIECES then
    local last = found[#found]
    local tail = #old - last.col - #last.old
    local col = found[1].col
    return { { col = col, old = old:sub(col + 1, #old - tail), new = new:sub(col + 1, #new - tail) } }
  end
  return found
end

---@class tabspec.Change
---@field row integer the first line that changes, from 0; where lines are only inserted, the line that they come before
---@field old string[] lines that go
---@field new string[] lines that come

---The lines that differ between the old lines from `row` on and the new ones.
---@param row integer
---@param old string[]
---@param new string[]
---@return tabspec.Change
function M.change(row, old, new)
  local first = 0
  while first < #old and first < #new and old[first + 1] == new[first + 1] do
    first = first + 1
  end
  local last = 0
  while last < #old - first and last < #new - first and old[#old - last] == new[#new - last] do
    last = last + 1
  end
  return {
    row = row + first,
    old = vim.list_slice(old, first + 1, #old - last),
    new = vim.list_slice(new, first + 1, #new - last),
  }
end

return M
