"""Which frames of a video become keyframes: ways to choose, and one protocol for all.

A selector says in its ``recipe`` what it does, which is part of the ledger's key, so a changed
option means that sources are taken in again. For each video it hands out a chooser, which is first
asked how much of each stretch between codec keyframes has to be decoded, from the packets' sizes
and times alone, and then shown the decoded frames.
"""
