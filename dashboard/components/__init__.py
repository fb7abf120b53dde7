"""Parts that several pages draw: cards, thumbnails, stills, error boxes, the library picker,
routes, and the serving of videos. Pages import them; they import no page.
"""
