"""Who may read a bucket, and what that takes: set-up, policies, a look at what is in the way."""
