"""`make demo`: the whole project at work on a real Kubernetes. `story` tells what happens, `screen` shows it."""
