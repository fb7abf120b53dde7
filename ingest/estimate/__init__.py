"""What an ingest will come to, before it runs: sources, keyframes, time, disk and memory, from
headers and an even sample. ``sightline plan`` prints it.
"""
