-- One suggestion as an editor sees it: text for the cursor's place, and what it replaces behind the cursor.
local M = {}

---@class tabspec.Offer
---@field text string what is inserted at the cursor; lines end in "\n"
---@field cut integer bytes behind the cursor, on its line, that it replaces
---@field item table the server's item

local function inserted(item)
  return type(item.insertText) == 'table' and item.insertText.value or item.insertText
end

local function normal(text)
  return (text:gsub('\r\n?', '\n'))
end

---An item of an inlineCompletion answer, seen from the place that was asked about. nil if it cannot be shown there:
---it changes text before the cursor, or reaches over the end of the line.
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
  local line = place.before .. place.behind
  local first = vim.str_byteindex(line, encoding, range.start.character, false)
  local last = vim.str_byteindex(line, encoding, range['end'].character, false)
  local kept = line:sub(first + 1, place.col)
  if first > place.col or last < place.col or not vim.startswith(text, kept) then
    return nil
  end
  local offer = { text = text:sub(#kept + 1), cut = last - place.col, item = item }
  return (offer.text ~= '' or offer.cut > 0) and offer or nil
end

---How much of an item's insertText is in the document once `left` bytes of the offer are not: in UTF-16 units.
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

---The part that "accept word" takes: white space, and the word or the punctuation behind it. Bytes beyond ASCII count
---as letters. The server's own idea of a first word is the same, so that it can have asked ahead for what follows.
---@param text string
function M.first_word(text)
  return text:match('^%s*[%w_\128-\255]+') or text:match('^%s*[^%w_%s\128-\255]+') or text
end

---The part that "accept line" takes: up to the first line end behind some text, that line end included.
---@param text string
function M.first_line(text)
  return text:match('^\n?[^\n]*\n?')
end

return M
