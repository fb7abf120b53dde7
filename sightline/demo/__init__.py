"""Made street scenes with captions, the sample footage, and the demo encoder trained on them."""
