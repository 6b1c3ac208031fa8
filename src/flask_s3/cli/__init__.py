"""`flask s3 …`: commands, and what people read of them."""
