-- The suggestion on the screen: virtual text at the cursor and virtual lines below it.
local api = vim.api
local M = {}

M.namespace = api.nvim_create_namespace('tabspec')

---Defines the highlight groups that neither the user nor the colour scheme has defined. A medium grey is legible on dark
---and light backgrounds; ComplHint, which Neovim 0.12 uses, has no colour in a terminal without 'termguicolors'.
---@param own? table attributes for nvim_set_hl()
function M.define_highlights(own)
  local look = own or { default = true, fg = '#858b98', ctermfg = 244 }
  api.nvim_set_hl(0, 'TabspecSuggestion', look)
  api.nvim_set_hl(0, 'TabspecReplaced', { default = true, strikethrough = true, fg = '#858b98', ctermfg = 244 })
  api.nvim_set_hl(0, 'TabspecHint', { default = true, link = 'TabspecSuggestion' })
end

---Replaces tabs by the blanks that they have at this screen column, because virtual text shows a tab as ^I.
---@param text string
---@param column integer screen column where it starts, from 0
---@param tabstop integer
local function expanded(text, column, tabstop)
  if not text:find('\t', 1, true) then
    return text
  end
  local out = ''
  for piece, tab in text:gmatch('([^\t]*)(\t?)') do
    out = out .. piece
    if tab ~= '' then
      local at = column + api.nvim_strwidth(out)
      out = out .. (' '):rep(tabstop - at % tabstop)
    end
  end
  return out
end

---What is drawn for `text` before `replaced`. Closing brackets that are in the document are not drawn a second time.
---@param text string
---@param replaced string the text after the cursor that it replaces
---@return string drawn, boolean struck whether the replaced text is to be struck out
function M.drawn(text, replaced)
  if replaced ~= '' and not text:find('\n', 1, true) and vim.endswith(text, replaced) then
    return text:sub(1, #text - #replaced), false
  end
  return text, replaced ~= ''
end

---@param buf integer
---@param place tabspec.Place
---@param text string
---@param cut integer number of bytes after the cursor that it replaces
---@param hint? string shown after it, such as (2/3)
function M.show(buf, place, text, cut, hint)
  M.hide(buf)
  local drawn, struck = M.drawn(text, place.after:sub(1, cut))
  local tabstop = vim.bo[buf].tabstop
  local lines = {}
  for i, line in ipairs(vim.split(drawn, '\n', { plain = true })) do
    local column = i == 1 and vim.fn.virtcol('.') - 1 or 0
    lines[i] = { { expanded(line, column, tabstop), 'TabspecSuggestion' } }
  end
  if hint then
    table.insert(lines[#lines], { hint, 'TabspecHint' })
  end
  api.nvim_buf_set_extmark(buf, M.namespace, place.row, place.col, {
    virt_text = lines[1],
    virt_text_pos = 'inline',
    virt_lines = #lines > 1 and vim.list_slice(lines, 2) or nil,
    -- Before a bracket, "combine" would use the colours that matchparen gives to the bracket.
    hl_mode = place.after == '' and 'combine' or 'replace',
    end_row = struck and place.row or nil,
    end_col = struck and place.col + cut or nil,
    hl_group = struck and 'TabspecReplaced' or nil,
  })
end

---@param buf integer
function M.hide(buf)
  api.nvim_buf_clear_namespace(buf, M.namespace, 0, -1)
end

return M
