"""What the server keeps: plain functions of a connection, one module per resource, behind the seam of `database`."""
