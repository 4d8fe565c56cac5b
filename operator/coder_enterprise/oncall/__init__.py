"""What a person on call asks of a cluster and does to it: how it stands, why, since when, and the few acts that help.

Called by the commands, which print what comes of it. Reads and writes Kubernetes as that person; knows no operator.
"""
