"""The language in which kinds are written: models, schemas and CRDs, policies, conditions, reasons, and what a kind is.

Read by every kind and by the controller; knows no kind by name.
"""
