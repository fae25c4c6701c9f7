"""S3: buckets and the permissions of their operations."""
