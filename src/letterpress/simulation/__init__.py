"""A seeded world of tenants, builders and recipients that emits events and knows the truth.

The pipeline may never read the truth. May ask events and images.
"""
