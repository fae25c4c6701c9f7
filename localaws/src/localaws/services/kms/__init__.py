"""KMS: who may use a key."""
