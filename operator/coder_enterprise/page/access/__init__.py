"""Who may look at the page, at what of it, and how a browser is kept from being used against them.

`gate.Gate` puts the parts together. Handlers of the page ask `reviews`, for objects through `page.sight`, and nothing
else of here. It reads no object and renders nothing but the page for signing in.
"""
