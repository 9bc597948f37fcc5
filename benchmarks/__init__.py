"""The service's speed, compared with limits measured on the same machine in the same run."""
