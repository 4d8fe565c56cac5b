-- Which actions an object of ours has now, of every kind.
local spec = obj.spec or {}
local metadata = obj.metadata
local annotations = metadata.annotations or {}

local suspended = spec.suspend == true
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "Ready" and condition.reason == "Suspended" then
    suspended = true
  end
end

-- What would take effect only at a later deletion is nothing for a click: that is for whoever looks at one that hangs.
local detachable = metadata.deletionTimestamp ~= nil and annotations["enterprise.coder.com/force-detach"] ~= "true"

return {
  ["reconcile"] = {
    disabled = suspended,
    displayName = "Reconcile now",
    iconClass = "fa fa-fw fa-sync",
  },
  ["suspend"] = {
    disabled = spec.suspend == true,
    displayName = "Suspend",
    iconClass = "fa fa-fw fa-pause-circle",
  },
  ["suspend-for"] = {
    disabled = spec.suspend == true,
    displayName = "Suspend for some hours",
    iconClass = "fa fa-fw fa-clock",
    params = { { name = "hours", default = "2" } },
  },
  ["resume"] = {
    disabled = spec.suspend ~= true and spec.suspendUntil == nil,
    displayName = "Resume",
    iconClass = "fa fa-fw fa-play-circle",
  },
  ["force-detach"] = {
    disabled = not detachable,
    displayName = "Delete it here, and leave it in Coder",
    iconClass = "fa fa-fw fa-unlink",
  },
}
