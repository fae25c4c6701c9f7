"""CodeCommit: git repositories over HTTP."""
