"""Commands of administrators: users, the audit log, and `sightline doctor`."""
