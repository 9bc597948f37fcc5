"""Attacks that no other folder covers. docs/development.md lists where each kind of attack is tested."""
