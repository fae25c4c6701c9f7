"""IAM and STS: who a caller is and what policies allow."""
