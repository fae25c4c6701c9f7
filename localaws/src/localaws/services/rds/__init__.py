"""RDS: databases, which moto keeps."""
