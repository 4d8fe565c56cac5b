"""HTTP: one module per resource that parses, authorizes and answers; `app` puts them together. They decide nothing."""
