"""The index lab: indexes compared on a library's own vectors, and what they advise. It measures in
scratch collections of a store and writes records, which :mod:`search_core.lab.report` draws.
"""
