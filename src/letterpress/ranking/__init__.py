"""Trains, explores, scores and packs models into bundles.

No request is answered and nothing is promoted here. May ask datasets, features, recommenders and evaluation.
"""
