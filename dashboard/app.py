"""The dashboard's server: `streamlit run dashboard/app.py`.

The encoder is loaded while the server starts, and footage is served in pieces as browsers ask for
it; what is drawn is navigation.py's.
"""

from __future__ import annotations

from pathlib import Path

import streamlit.starlette

from dashboard import footage, resources

app = streamlit.starlette.App(
    Path(__file__).with_name("navigation.py"),
    lifespan=resources.warm_while_serving,
    routes=footage.ROUTES,
)
