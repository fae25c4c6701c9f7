"""ECS: clusters, tasks and services, which moto keeps."""
