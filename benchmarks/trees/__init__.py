"""The folders that are published."""
