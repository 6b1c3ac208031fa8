"""Whom we compare with: environments, and the commands run in them."""
