"""The documentation as a site; see `tools.site.__main__`."""
