"""The log contract: event types, their codec, the reasons for quarantine, and importers of foreign logs.

Nothing is stored here and no SQL runs here. May ask the foundation.
"""
