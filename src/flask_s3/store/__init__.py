"""The bucket: the protocol that the others know it by, and S3 behind it."""
