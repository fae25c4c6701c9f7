"""EventBridge: rules by event and by schedule."""
