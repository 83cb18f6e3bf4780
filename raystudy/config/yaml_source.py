"""Where Hydra gets YAML from: each file is parsed once, and anew when it has changed."""

import functools
import pickle
from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf


class YamlSource(ConfigSource):
    """The files below a folder.

    Hydra's own source parses them for every composition: 0.17 s of 0.33 s of CPU time.
    """

    @staticmethod
    def scheme() -> str:
        """Return how the addresses of such folders start."""
        return "yaml"

    def load_config(self, config_path: str) -> ConfigResult:
        """Return a file; the caller may change it."""
        text, config = load(self._file(config_path))
        return ConfigResult(
            provider=self.provider,
            path=self.full_path(),
            config=config,
            header=self._get_header_dict(text),
        )

    def available(self) -> bool:
        """Return whether the folder is there."""
        return self.is_group("")

    def is_group(self, config_path: str) -> bool:
        """Return whether there is such a group."""
        return Path(self.path, config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        """Return whether there is such a file."""
        return self._file(config_path).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the options of a group."""
        files: list[str] = []
        for path in Path(self.path, config_path).iterdir():
            self._list_add_result(
                files, str(Path(config_path, path.name)), path.name, results_filter
            )
        return sorted(files)

    def _file(self, config_path: str) -> Path:
        return Path(self.path, self._normalize_file_name(config_path))


def load(path: Path) -> tuple[str, Any]:
    """Return a file's text and what is in it; the caller may change it."""
    about = path.stat()
    text, kept = parsed(path, about.st_mtime_ns, about.st_size)
    return text, pickle.loads(kept)


@functools.lru_cache(maxsize=4096)
def parsed(path: Path, *_state: int) -> tuple[str, bytes]:
    """Return a file's text and what is in it, pickled."""
    return path.read_text(encoding="utf-8"), pickle.dumps(OmegaConf.load(path))


def register() -> None:
    """Let Hydra know of it."""
    Plugins.instance().register(YamlSource)
