"""Still images to RGB pixels: JPEG, PNG, TIFF, RAW previews and what Pillow reads. Used by
:mod:`ingest.media.decoding`, which chooses between images and video.
"""
