"""How provisioner daemons talk to Coder: protobuf messages in DRPC calls, one per yamux stream of a websocket."""
