"""Caches in front of the bucket, and how they forget what changed."""
