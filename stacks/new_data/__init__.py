"""Starts the delivery pipeline once new data has stopped coming."""
