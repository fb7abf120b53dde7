"""Where media comes from: files, folders, globs, archives and addresses; what their names say; and
fingerprints that recognise content. It finds sources and reads no frame.
"""
