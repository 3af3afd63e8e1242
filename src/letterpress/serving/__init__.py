"""From request to ranked slate: the hot path, the durable log and the hot swap of models.

No model is trained here. May ask registry, ranking, features, recommenders, lake, events and images.
"""
