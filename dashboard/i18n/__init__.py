"""English and Chinese: gettext catalogues, the language switch, formatting of numbers and times,
and translations of messages that come from below the dashboard.
"""
