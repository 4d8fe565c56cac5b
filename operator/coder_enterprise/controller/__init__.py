"""When it happens: watch, store, queue, reconcile, status, leases, connections. Knows no kind by name."""
