"""Commands that run processes until they are stopped: serve, worker and the cameras' process, with
the supervision of children, signals and addresses. They open a Workspace and hand its parts down.
"""
