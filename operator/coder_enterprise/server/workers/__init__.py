"""What the server does without being asked: each has `run`, which goes on until it is cancelled."""
