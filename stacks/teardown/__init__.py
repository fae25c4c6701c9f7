"""Removes on destroy what run-time code made."""
