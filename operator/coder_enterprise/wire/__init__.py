"""What the API says: one module of models per resource, shared by the server and the operator's client."""
