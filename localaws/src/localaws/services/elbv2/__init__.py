"""Elastic Load Balancing: load balancers, which moto keeps."""
