"""What the endpoint and the transform jobs run, and how a file is scored with it."""
