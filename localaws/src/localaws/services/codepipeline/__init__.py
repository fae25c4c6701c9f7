"""CodePipeline: pipelines, their executions and triggers."""
