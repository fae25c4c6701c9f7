"""The machine of all containers: the image's environment, and a process that has its libraries loaded."""

import threading
from collections.abc import Callable
from pathlib import Path

from localaws.core.account import Account
from localaws.runtime import warm_parent
from localaws.runtime.image_container import ImageContainer
from localaws.runtime.image_environment import user_cache
from localaws.runtime.layer_store import LayerStore
from localaws.runtime.warm_python import WarmPython
from localaws.services.sagemaker.jobs.requirements import MetRequirements


class Host:
    """Starts its processes in the background."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.met_requirements = MetRequirements()
        self._folder = account.state_dir / "cache" / "warm-python"
        self._lock = threading.Lock()
        self._parents: list[WarmPython] = []  # the last one forks, those before it still have forks
        self._server: WarmPython | None = None
        self._layers: LayerStore | None = None
        self._closed = False
        threading.Thread(target=self._prepare, name="warm-python", daemon=True).start()

    def image(self, on_line: Callable[[str], None]) -> ImageContainer | None:
        """The image's environment, or None if this machine's own packages replace it."""
        environment = self.account.image
        if environment is None:
            return None
        if not environment.is_ready:
            on_line(f"localaws: waiting for the image's environment, {environment.description}")
        found = environment.wait()
        if found is None or not found.isolated:
            on_line(f"localaws: {environment.description}")
        return found

    @property
    def warm_python(self) -> WarmPython | None:
        with self._lock:
            return self._parents[-1] if self._parents else None

    @property
    def warm_server(self) -> WarmPython | None:
        """The process with the libraries of AWS's model server loaded; None without the image's environment."""
        with self._lock:
            return self._server

    def keep_wheels(self, tmp: Path) -> None:
        """Keep the wheels that a job installed: the next one has them without installing."""
        if self._layers is not None:
            self._layers.take(tmp, self._use_layer)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            parents = [*self._parents, *filter(None, [self._server])]
        for parent in parents:
            parent.close()
        if self._layers is not None:
            self._layers.close()

    def _prepare(self) -> None:
        image = self.account.image.wait() if self.account.image else None
        if image is None:
            self._add(lambda: WarmPython(self.account.processes, self._folder))
        elif image.isolated:
            self._layers = LayerStore(user_cache() / "layers" / image.folder.name, image.python)
            self._add_image_parent(image, self._layers.newest())
            self._add_server(image)

    def _add_server(self, image: ImageContainer) -> None:
        with self._lock:
            if not self._closed:
                self._server = WarmPython(
                    self.account.processes,
                    self._folder,
                    warm_parent.SERVER_LIBRARIES,
                    python=image.python,
                )

    def _add_image_parent(self, image: ImageContainer, layer: Path | None) -> None:
        if layer is not None and self._layers is not None:
            layer = layer.resolve()
            if not self._layers.use(layer):
                layer = None
        self._add(
            lambda: WarmPython(
                self.account.processes,
                self._folder,
                python=image.python,
                layer=layer,
            )
        )

    def _use_layer(self, layer: Path) -> None:
        image = self.account.image.wait() if self.account.image else None
        current = self.warm_python
        if image is not None and (current is None or current.layer != layer.resolve()):
            self._add_image_parent(image, layer)

    def _add(self, make: Callable[[], WarmPython]) -> None:
        with self._lock:
            if not self._closed:
                self._parents.append(make())
