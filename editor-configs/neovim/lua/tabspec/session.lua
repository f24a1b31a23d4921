-- The suggestions of one buffer: requested at every move in Insert mode, drawn, shortened while the user types them,
-- accepted whole or in part, and refused.
local ghost = require('tabspec.ghost')
local offers = require('tabspec.offer')
local places = require('tabspec.place')
local config = require('tabspec.config')
local api = vim.api

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2 -- lsp.InlineCompletionTriggerKind

---@class tabspec.Session
---@field buf integer
---@field client vim.lsp.Client
---@field answer? { place: tabspec.Place, offers: tabspec.Offer[], index: integer, invoked: boolean }
---@field asked? tabspec.Place where the last request was made
---@field request? integer its id, while it is pending
---@field timer? uv.uv_timer_t
---@field rest_timer? uv.uv_timer_t
local Session = {}
Session.__index = Session

---@type table<integer, tabspec.Session>
local sessions = {}

local M = { Session = Session }

---@param buf? integer
---@return tabspec.Session?
function M.get(buf)
  return sessions[buf or api.nvim_get_current_buf()]
end

---@param buf integer
---@param client vim.lsp.Client
---@param kind? table the class of the session, if it is another one
function M.attach(buf, client, kind)
  M.detach(buf)
  local self = setmetatable({ buf = buf, client = client }, kind or Session)
  sessions[buf] = self
  local group = api.nvim_create_augroup('tabspec.session.' .. buf, {})
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = buf, callback = callback })
  end
  on({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP', 'CompleteChanged', 'CompleteDone' }, function(event)
    if event.event:match('^Complete') then
      -- while these events are handled, the menu is not open yet, or not closed yet
      vim.schedule(function()
        self:follow()
      end)
    else
      self:follow(event.event == 'InsertEnter')
    end
  end)
  on({ 'InsertLeave', 'BufLeave' }, function()
    self:forget()
  end)
  on({ 'CursorMoved', 'BufEnter' }, function()
    self:moved()
  end)
  self:moved()
  return self
end

-- Milliseconds for which the cursor must stay. This is longer than the interval of a repeating key (33 ms; 250 ms before
-- the first repetition).
local REST_MS = 300

---Outside of Insert mode: if the cursor stays at this place, the server may compute the prompt for it.
function Session:moved()
  if api.nvim_get_current_buf() ~= self.buf then
    return
  end
  self.rest_timer = self.rest_timer or assert(vim.uv.new_timer())
  self.rest_timer:start(REST_MS, 0, vim.schedule_wrap(function()
    if sessions[self.buf] ~= self or api.nvim_get_current_buf() ~= self.buf or not require('tabspec').is_enabled(self.buf) then
      return
    end
    if not api.nvim_get_mode().mode:match('^i') then
      local params = vim.lsp.util.make_position_params(0, self.client.offset_encoding)
      self.client:notify('tabspec/cursorRested', { uri = params.textDocument.uri, position = params.position })
    end
  end))
end

---@param buf integer
function M.detach(buf)
  local self = sessions[buf]
  if self then
    sessions[buf] = nil
    if self.rest_timer then
      self.rest_timer:stop()
      self.rest_timer:close()
      self.rest_timer = nil
    end
    pcall(api.nvim_del_augroup_by_name, 'tabspec.session.' .. buf)
    self:forget()
  end
end

function M.each(callback)
  for buf, session in pairs(sessions) do
    callback(buf, session)
  end
end

---Whether suggestions may be shown: in Insert mode, in the current buffer, and while no completion menu is open.
---@param entering? boolean InsertEnter runs while the mode is not Insert yet
function Session:active(entering)
  return require('tabspec').is_enabled(self.buf)
    and api.nvim_get_current_buf() == self.buf
    and (entering or api.nvim_get_mode().mode:match('^i') ~= nil)
    and vim.fn.pumvisible() == 0
end

---The text offered at a place, which is the rest of the current offer; nil if nothing valid is known there.
---@param here tabspec.Place
---@return string? text, tabspec.Offer? offer
function Session:rest(here)
  local answer = self.answer
  local offer = answer and answer.offers[answer.index]
  local typed = offer and places.typed(self.buf, answer.place, here)
  if not typed or not vim.startswith(offer.text, typed) or (#typed == #offer.text and offer.cut == 0) then
    return nil
  end
  return offer.text:sub(#typed + 1), offer
end

---Whether a suggestion is on the screen, or will be when the screen is updated.
function Session:visible()
  return self.answer ~= nil and self:active() and self:rest(places.here(self.buf)) ~= nil
end

---Draws the suggestion if it is valid here, and removes it otherwise.
---@param here tabspec.Place
function Session:draw(here)
  local text, offer = self:rest(here)
  if not text then
    self.answer = nil
    ghost.hide(self.buf)
    return
  end
  local count = #self.answer.offers
  local hint = self.answer.invoked and count > 1 and (' (%d/%d)'):format(self.answer.index, count) or nil
  ghost.show(self.buf, here, text, offer.cut, hint)
  require('tabspec.edit').give_way()
end

---The user typed or moved the cursor: shows the rest of the suggestion if it is still valid, and sends a request.
---@param entering? boolean
function Session:follow(entering)
  if sessions[self.buf] ~= self then
    return
  end
  if not self:active(entering) then
    return self:forget()
  end
  local here = places.here(self.buf)
  if places.same(self.asked, here) then
    return
  end
  self:draw(here)
  local wait = config.options.debounce_ms
  if wait <= 0 then
    return self:ask(AUTOMATIC)
  end
  self.asked = here
  self.timer = self.timer or assert(vim.uv.new_timer())
  self.timer:start(wait, 0, vim.schedule_wrap(function()
    if self:active() then
      self:ask(AUTOMATIC)
    end
  end))
end

---Sends another request for the same place, if nothing is shown there.
function Session:again()
  if not self.answer and self:active() then
    self.asked = nil
    self:follow()
  end
end

---@param kind integer
---@param then_do? fun(session: tabspec.Session) called when the response has arrived
function Session:ask(kind, then_do)
  local here = places.here(self.buf)
  self.asked = here
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(self.buf) },
    position = vim.lsp.util.make_position_params(0, self.client.offset_encoding).position,
    context = { triggerKind = kind },
  }
  local superseded, id = self.request, nil
  local sent
  -- The new request is sent before the old one is cancelled, so that it can join the generation that the old one waits
  -- for.
  sent, id = self.client:request(METHOD, params, function(err, result)
    if self.request == id then
      self.request = nil
    end
    if sessions[self.buf] ~= self or self.asked ~= here then
      return -- the user has moved on, and asked again
    end
    if places.same(places.here(self.buf), here) and self:active() then
      self:take(here, err, result, kind == INVOKED)
      if then_do then
        then_do(self)
      end
    end
  end, self.buf)
  self.request = sent and id or nil
  if superseded then
    self.client:cancel_request(superseded)
  end
end

---Handles the response for the current place.
function Session:take(here, err, result, invoked)
  self.answer = nil
  if not err and result then
    local known = {}
    for _, item in ipairs(result.items or result) do
      local offer = offers.of(item, here, self.client.offset_encoding)
      if offer then
        table.insert(known, offer)
      end
    end
    if known[1] then
      self.answer = { place = here, offers = known, index = 1, invoked = invoked }
    end
  end
  self:draw(here)
  self:shown()
end

---Suggestions were turned on or off for this buffer.
---@param on boolean
function Session:switch(on)
  self:forget()
  if on and self.buf == api.nvim_get_current_buf() then
    self:follow()
  end
end

---Removes the suggestion and cancels the request.
function Session:forget()
  if self.timer then
    self.timer:stop()
  end
  if self.request then
    self.client:cancel_request(self.request)
    self.request = nil
  end
  self.asked, self.answer = nil, nil
  if api.nvim_buf_is_valid(self.buf) then
    ghost.hide(self.buf)
  end
end

function Session:tell(method, params)
  if not self.client:is_stopped() then
    self.client:notify(method, params)
  end
end

---Sends the item's command to the server, or the command `name` with the item's arguments.
function Session:command(item, name)
  local command = item.command
  if command and not self.client:is_stopped() then
    local params = { command = name or command.command, arguments = command.arguments }
    self.client:request('workspace/executeCommand', params, function() end, self.buf)
  end
end

---Reports that the suggestion is on the screen (Copilot's notification). The server starts to speculate then.
function Session:shown()
  local answer = self.answer
  if answer then
    self:tell('textDocument/didShowCompletion', { item = answer.offers[answer.index].item })
  end
end

---Inserts `text` at the cursor as one undo step, and immediately requests the next suggestion.
---@param here tabspec.Place
---@param text string
---@param cut integer
function Session:insert(here, text, cut)
  vim.bo[self.buf].undolevels = vim.bo[self.buf].undolevels -- closes the undo block, see :help undo-break
  local lines = vim.split(text, '\n', { plain = true })
  api.nvim_buf_set_text(self.buf, here.row, here.col, here.row, here.col + cut, lines)
  local col = #lines[#lines] + (#lines == 1 and here.col or 0)
  api.nvim_win_set_cursor(0, { here.row + #lines, col })
  vim.bo[self.buf].undolevels = vim.bo[self.buf].undolevels
end

---Accepts the whole suggestion, or the part of it that `part` returns. False if nothing is shown.
---@param part? fun(text: string): string
---@param go_on? fun() called instead of drawing the rest and requesting the next suggestion
---@return boolean
function Session:accept(part, go_on)
  local here = places.here(self.buf)
  local text, offer = nil, nil
  if self:active() then
    text, offer = self:rest(here)
  end
  if not text or not offer then
    return false
  end
  local taken = part and part(text) or text
  if #taken < #text then
    self:insert(here, taken, 0)
    self:tell('textDocument/didPartiallyAcceptCompletion', {
      item = offer.item,
      acceptedLength = offers.units(offer, #text - #taken),
    })
  else
    self:insert(here, text, offer.cut)
    self.answer = nil
    self:command(offer.item)
  end
  if go_on then
    go_on()
  else
    self:draw(places.here(self.buf))
    self:ask(AUTOMATIC)
  end
  return true
end

---Refuses the suggestion: the server will not offer it here again.
---@return boolean
function Session:dismiss()
  local here = places.here(self.buf)
  local text, offer = self:rest(here)
  if not self:active() or not text or not offer then
    return false
  end
  self:command(offer.item, 'tabspec.rejected')
  self:forget()
  self.asked = here -- nothing more is asked until the cursor moves
  return true
end

---Shows another suggestion for this place. Several suggestions are requested when the user first wants another one.
---@param step integer
---@return boolean
function Session:cycle(step)
  local here = places.here(self.buf)
  if not self:active() then
    return false
  end
  if not self:rest(here) then
    self:ask(INVOKED) -- where an automatic request gave nothing, there may be something to choose from
    return true
  end
  local function turn()
    local answer = self.answer
    if answer and answer.invoked then
      answer.index = (answer.index - 1 + step) % #answer.offers + 1
      self:draw(places.here(self.buf))
      self:shown()
    end
  end
  if self.answer.invoked and places.same(self.answer.place, here) then
    turn()
  else
    self:ask(INVOKED, turn)
  end
  return true
end

return M
