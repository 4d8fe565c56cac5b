"""What a user may declare: one module per kind, with its spec, status, observe, plan and apply."""
