"""The Kubernetes API, for whoever needs it: where credentials come from, requests, and where objects live."""

from coder_enterprise.cluster import lean

lean.prepare()
