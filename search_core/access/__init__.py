"""Who may do what: users and their roles, logging in, allowed cameras, and the audit log.

    roles.py          what each role may do; Access: one person's role and cameras
    users.py          the users with their passwords' hashes, in one file of the data directory
    login.py          a name and a password in, a session out; failed logins must wait
    guarded_store.py  a store that shows one person what is theirs, and refuses the rest
    audit_log.py      who did what, and when

There is a login when the file of users exists; without it everybody is LOCAL, who may do all.
"""
