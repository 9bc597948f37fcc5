"""What the broker has dead-lettered, and handing it to its queues again."""
