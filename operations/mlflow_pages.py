"""Opens MLflow's own pages in the browser, or prints their address: `make mlflow`."""

import sys
import webbrowser

from ml_code.contracts import Output
from operations.errors import run
from operations.factory import deployed_factory, mlflow_url


def main() -> None:
    factory = deployed_factory()
    url = mlflow_url(factory)
    print(url)
    if url == factory.output(Output.MLFLOW_TRACKING_URI):
        print("An address inside the factory's VPC: open it from there, or by way of your own load balancer.")
    elif sys.stdout.isatty():
        webbrowser.open(url)


if __name__ == "__main__":
    run(main)
