"""How to call Coder: one typed asynchronous client, its errors, and the lists that many objects share."""
