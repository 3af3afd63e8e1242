"""The pages that people read.

Numbers are shown here, never made. May ask every room below it.
"""
