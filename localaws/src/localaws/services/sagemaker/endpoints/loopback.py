"""Servers that the local AWS starts for itself on this machine: MLflow, and the containers of endpoints."""

import http.client
import socket

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def answers(port: int, path: str, *, timeout_seconds: float) -> bool:
    """Whether the server on the port answers the path with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
