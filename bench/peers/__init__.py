"""Peers that the service is measured against, each as somebody else would write it."""
