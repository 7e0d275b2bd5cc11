"""Hosting: models, endpoint configurations, endpoints as processes, and the runtime in front of them."""
