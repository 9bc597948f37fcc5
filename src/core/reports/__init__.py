"""Reports of what users have seen, and what admins decide on them."""
