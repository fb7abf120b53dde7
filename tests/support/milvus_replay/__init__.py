"""Answers of Milvus servers that cannot be run here, replayed over gRPC."""

#: Releases at which answers change: what is missing (2.5.18, 3.1), ids twice in a batch (2.6.8),
#: an alias left at a drop (2.4.23). 3.1.0 stands for what master answers.
REPLAYED = ("2.3.5", "2.4.24", "2.5.17", "2.5.27", "2.6.13", "3.0.0", "3.1.0")
