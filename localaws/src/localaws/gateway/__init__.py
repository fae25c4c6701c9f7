"""The one door: signature, caller, operation, permission, answer."""
