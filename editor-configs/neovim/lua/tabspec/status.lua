-- The text for the status line.
local config = require('tabspec.config')
local server = require('tabspec.server')
local M = {}

---@param buf integer
---@return string
function M.line(buf)
  if not config.wants(buf) then
    return ''
  end
  if server.failure then
    return 'tabspec: no server'
  end
  local client = server.client()
  if not client then
    return 'tabspec: stopped'
  end
  if not require('tabspec').is_enabled(buf) then
    return 'tabspec: off'
  end
  if not client.initialized then
    return 'tabspec: starting'
  end
  local status = server.status
  if not status then
    return 'tabspec'
  end
  local model = status.model or {}
  if model.state == 'loading' then
    -- no percent signs: status lines would interpret them as items
    return 'tabspec: loading' .. (type(model.percent) == 'number' and (' %d/100'):format(model.percent) or '')
  elseif model.state == 'unusable' then
    return 'tabspec: no model'
  end
  local sources = status.sources or {}
  local answered = (status.requests or 0) - (sources.none or 0)
  local instant = (sources.exact or 0) + (sources.type_through or 0) + (sources.speculated or 0)
  return answered > 0 and ('tabspec %d/%d instant'):format(instant, answered) or 'tabspec'
end

return M
