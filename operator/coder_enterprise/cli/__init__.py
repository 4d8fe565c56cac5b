"""The command line: `coder-enterprise …`, also usable as `kubectl coder …`."""
