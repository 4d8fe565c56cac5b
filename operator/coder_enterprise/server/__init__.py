"""The Enterprise API itself: routes parse and answer, services decide, storage keeps.

`run` puts the three together; `settings` and `errors` are shared by all of them.
"""
