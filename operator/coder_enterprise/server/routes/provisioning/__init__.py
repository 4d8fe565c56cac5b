"""Routes of provisioner daemons, their keys and their jobs."""
