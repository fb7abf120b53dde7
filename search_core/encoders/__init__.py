"""Encoders turn images and sentences into embeddings of one space. The only room, with the training
of the demo encoder, that imports torch and open_clip; stores and search know only the protocol.
"""
