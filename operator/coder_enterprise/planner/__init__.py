"""The plans of the operator without a cluster: manifests in, plans out.

Called by the command line; drives the same `kinds` as the controller, which it never imports.
"""
