"""What people look at: a page that reads what the operator knows, and knows no kind by name."""
