"""The page Cases, and adding what was found to a case."""
