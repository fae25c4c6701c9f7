"""Git commands that make this clone push to the seeded repository; none if the repository is connected."""

from ml_code.contracts import Output
from operations.errors import run
from operations.factory import deployed_factory


def main() -> None:
    factory = deployed_factory()
    url = factory.outputs.get(Output.REPOSITORY_CLONE_URL, "")
    if url:
        # The seeded commit is no ancestor of this clone's, so the first push is forced.
        remote = factory.name
        print(f"To push this clone: git remote add {remote} {url} && git push --force {remote} HEAD:main")
        print(f"From then on:       git push {remote} HEAD:main")


if __name__ == "__main__":
    run(main)
