"""Runs the expectation suites under expectations/ and builds data docs.

The suites themselves live in expectations/. May ask lake.
"""
