"""A small workspace proxy: it registers, says how it is, and deregisters. It proxies no workspaces.

Run by the command line as a process of its own, for demonstrations and tests; it shares only the wire with the rest.
"""
