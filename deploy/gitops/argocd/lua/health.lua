-- The health of an object of ours, of every kind.
local function health(status, message)
  return { status = status, message = message }
end

local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function is(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

local function said(type)
  local condition = conditions[type]
  if condition == nil then
    return ""
  end
  return condition.reason .. ": " .. condition.message
end

if obj.spec ~= nil and obj.spec.suspend then
  return health("Suspended", "spec.suspend is true")
end
if status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not seen this spec yet")
end
if conditions.Ready ~= nil and conditions.Ready.reason == "Suspended" then
  return health("Suspended", conditions.Ready.message)
end
if is("Stalled") then
  return health("Degraded", said("Stalled"))
end
if is("Ready") and not is("Reconciling") then
  return health("Healthy", said("Ready"))
end
return health("Progressing", said("Ready"))
