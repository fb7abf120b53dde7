"""Commands that look after what is in a library: status, library, delete, prune, verify."""
