"""Commands against a deployed factory, on AWS or on the local AWS alike."""
