"""Coder's enterprise settings as Kubernetes objects, and an in-cluster Enterprise API to run them against."""
