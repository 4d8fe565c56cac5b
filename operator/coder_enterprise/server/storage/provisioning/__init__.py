"""Provisioner daemons, their keys, their jobs, and the modules that they bring."""
