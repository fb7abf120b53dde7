"""The dashboard's server: `streamlit run dashboard/app.py`.

The encoder is loaded while the server starts, footage is served in pieces as browsers ask for it,
and a gate stands before all of it; what is drawn is navigation.py's.
"""

from __future__ import annotations

from pathlib import Path

import streamlit.starlette
from starlette.middleware import Middleware

from dashboard import resources
from dashboard.auth import login
from dashboard.auth.gate import Gate, refuse_other_addresses
from dashboard.components import video_serving as footage

refuse_other_addresses()
app = streamlit.starlette.App(
    Path(__file__).with_name("navigation.py"),
    lifespan=resources.warm_while_serving,
    routes=[*footage.ROUTES, *login.ROUTES],
    middleware=[Middleware(Gate)],
)
