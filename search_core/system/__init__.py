"""Helpers of the operating system: SQLite files, disk space, private files, child processes,
cancellation, the machine's cores and memory. No other room of Sightline is imported but errors.
"""
