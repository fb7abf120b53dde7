"""An opened moment: the video or still, its facts, neighbours and actions, and the heat map that
shows why it matched. The pages Search, Library and Map open it.
"""
