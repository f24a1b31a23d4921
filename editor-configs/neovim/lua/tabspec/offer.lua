-- One suggestion as an editor shows it: text to insert at the cursor, and what it replaces after the cursor.
local M = {}

---@class tabspec.Offer
---@field text string what is inserted at the cursor; lines end in "\n"
---@field cut integer number of bytes after the cursor, on its line, that it replaces
---@field item table the server's item

local function inserted(item)
  return type(item.insertText) == 'table' and item.insertText.value or item.insertText
end

local function normal(text)
  return (text:gsub('\r\n?', '\n'))
end

---The offer for an item of an inlineCompletion response, at the place of the request. nil if it cannot be shown there:
---it changes text before the cursor, or after the end of the line.
---@param item table lsp.InlineCompletionItem
---@param place tabspec.Place
---@param encoding string the client's position encoding
---@return tabspec.Offer?
function M.of(item, place, encoding)
  local text = normal(inserted(item))
  local range = item.range
  if not range then
    return text ~= '' and { text = text, cut = 0, item = item } or nil
  end
  if range.start.line ~= place.row or range['end'].line ~= place.row then
    return nil
  end
  local line = place.before .. place.after
  local first = vim.str_byteindex(line, encoding, range.start.character, false)
  local last = vim.str_byteindex(line, encoding, range['end'].character, false)
  local kept = line:sub(first + 1, place.col)
  if first > place.col or last < place.col or not vim.startswith(text, kept) then
    return nil
  end
  local offer = { text = text:sub(#kept + 1), cut = last - place.col, item = item }
  return (offer.text ~= '' or offer.cut > 0) and offer or nil
end

---The length, in UTF-16 units, of the part of an item's insertText that is in the document when `left` bytes of the
---offer are not inserted yet.
---@param offer tabspec.Offer
---@param left integer
function M.units(offer, left)
  local whole = inserted(offer.item)
  local taken = normal(whole):sub(1, -1 - left)
  if whole:find('\r\n', 1, true) then
    taken = taken:gsub('\n', '\r\n')
  end
  return vim.str_utfindex(taken, 'utf-16')
end

---The part that "accept word" takes: white space, and the word or punctuation after it. Bytes outside of ASCII count
---as letters. The server uses the same rule, so that it can compute ahead what follows the accept.
---@param text string
function M.first_word(text)
  return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w_%s\128-\255]+') or text
end

---The part that "accept line" takes: up to the first line end after some text, including that line end.
---@param text string
function M.first_line(text)
  return text:match('^\n?[^\n]*\n?')
end

return M
