"""CodeConnections: connections to a provider's repositories."""
