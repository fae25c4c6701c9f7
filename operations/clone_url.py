"""After a deployment: how this clone pushes to the seeded repository. Silent where the repository is connected."""

from ml_code.contracts import Output
from operations.errors import run
from operations.factory import deployed_factory


def main() -> None:
    factory = deployed_factory()
    url = factory.outputs.get(Output.REPOSITORY_CLONE_URL, "")
    if url:
        # The seeded commit is no ancestor of this clone's.
        print(f"First push of this clone: git push --force --set-upstream {url} HEAD:main")


if __name__ == "__main__":
    run(main)
