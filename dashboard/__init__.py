"""The dashboard: a Streamlit app with one folder a page. It reads through a
:class:`sightline.workspace.Workspace` and queues long work as :mod:`ingest.jobs`.
"""
