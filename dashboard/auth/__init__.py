"""Logging in and permissions of the dashboard: the gate before every page, sessions, who may see
which media, the account page. Rules and users come from :mod:`search_core.access`.
"""
