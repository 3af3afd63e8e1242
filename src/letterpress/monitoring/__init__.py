"""Drift, resiliency, service levels, capacity and notifications.

Nothing is measured on the request path. May ask lake, evaluation and registry.
"""
