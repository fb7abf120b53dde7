"""Parts that several pages draw: cards, stills, jobs, error boxes, the library picker,
routes, and the serving of videos. Pages import them; they import no page.
"""
