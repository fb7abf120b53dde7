"""Who may do what: users and their roles, logging in, allowed cameras, and the audit log.

    roles.py          what each role may do; Access: one person's role and cameras
    users.py          the users, in one file of the data directory
    passwords.py      argon2 hashes
    throttle.py       failed logins, and how long the next one must wait
    sessions.py       who is logged in
    login.py          all of these together: a name and a password in, a session out
    guarded_store.py  a store that shows one person what is theirs, and refuses the rest
    audit_log.py      who did what, and when

There is a login when the file of users exists; without it everybody is LOCAL, who may do all.
"""
