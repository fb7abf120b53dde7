"""What media files hold besides frames that can be decoded in order."""
