"""CodeBuild: projects and builds."""
