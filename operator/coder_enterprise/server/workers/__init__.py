"""What the server does by itself: one class per task, whose `run` goes on until it is cancelled. Started by `run`."""
