"""S3 servers on loopback."""
