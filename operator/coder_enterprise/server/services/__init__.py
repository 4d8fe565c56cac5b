"""What the server decides: one module per resource, each called by the routes of the same name.

A service hands one function to the database per request; what that function decides, it decides inside the
transaction.
"""
