"""STS: sessions of roles, which moto keeps."""
