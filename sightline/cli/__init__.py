"""The `sightline` command: ``main`` builds the command tree, a folder holds each group of commands.
Commands open a :class:`sightline.Workspace`, and call the library and ingest through it.
"""
