"""The index lab: indexes compared on a library's own vectors, and what they advise."""
