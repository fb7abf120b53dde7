"""Evidence: full-size frames, clips of footage, and cases that collect both for others to check."""
