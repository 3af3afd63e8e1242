"""Feature views: one definition of each feature for batch and for request time.

No data is fetched and no files are opened. May ask events, images, recommenders and lake (for the types of what it reads).
"""
