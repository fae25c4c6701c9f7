"""EC2: networks, which moto keeps."""
