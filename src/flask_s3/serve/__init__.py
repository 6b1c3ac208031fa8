"""From a file's name to its URL, while an app serves."""
