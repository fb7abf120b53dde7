"""The folder of an embedded Milvus Lite as files: inspected, restored, read write-protected."""
