"""SNS: topics as targets."""
