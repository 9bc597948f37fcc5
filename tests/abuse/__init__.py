"""What somebody tries who means no good, where no other folder is the place for it.

The table in docs/development.md says where each kind of attack is tried.
"""
