"""Feature views: one definition of each feature for batch and for request time.

No data is fetched and no file is opened: counts and attributes come in as arrays. May ask events,
images and recommenders.
"""
