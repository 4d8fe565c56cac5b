"""What is wrong, or will be: findings about a cluster and about each Coder, each with the next step.

Called by `coder-enterprise doctor`. Looks only: at the cluster as the person who runs it, at Coder with the token that
the CoderDeployment names, from where the command runs.
"""
