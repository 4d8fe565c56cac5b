obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["enterprise.coder.com/force-detach"] = "true"
return obj
