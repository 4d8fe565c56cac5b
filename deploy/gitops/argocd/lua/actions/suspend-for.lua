local os = require("os")
local hours = tonumber(actionParams["hours"])
if hours == nil or not (hours > 0 and hours <= 8760) then
  error("hours: a number above 0, and at most 8760, which is a year", 0)
end
-- os.date loses "!" when it is given a time: the clock of UTC is read as a local one, and written as one.
local present = os.time(os.date("!*t"))
obj.spec = obj.spec or {}
obj.spec.suspend = false
obj.spec.suspendUntil = os.date("%Y-%m-%dT%H:%M:%SZ", present + hours * 3600)
return obj
