"""What people are to each other: following, liking, commenting."""
