"""Provisioner daemons and their jobs: who serves, what is asked of them, and what becomes of it."""
