"""A real Kubernetes on this machine: found or built by `binaries`, started and stopped by `control_plane`."""

from __future__ import annotations
