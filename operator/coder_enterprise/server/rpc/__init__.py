"""Calls of provisioner daemons at run time: DRPC over yamux over a websocket. `wire.provisioning` has the codecs."""
