"""What is wrong with a bucket, and whether browsers get the right thing. Changes nothing."""
