"""Energy that the processor says it has used, where it says it: RAPL, as Linux shows it."""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


class EnergyMeter:
    """Joules of all processor packages since it was made.

    https://docs.kernel.org/power/powercap/powercap.html. The counters begin anew at `max_energy_range_uj`, after some
    minutes under load: read more often than that.

    Args:
        folder: where the kernel shows them.

    Attributes:
        trouble: why there is nothing to read, in one sentence; None where there is.
    """

    def __init__(self, folder: Path = POWERCAP) -> None:
        self.trouble: str | None = None
        packages = sorted(path for path in folder.glob("*-rapl:*") if path.name.count(":") == 1)
        if not packages:
            self.trouble = "This machine shows no energy counters (RAPL): measure at the plug."
        self._joules = 0.0
        self._last: dict[Path, int] = {}
        try:
            self._ranges = {one: _number(one / "max_energy_range_uj") for one in packages}
            self._last = {one: _number(one / "energy_uj") for one in packages}
        except (OSError, ValueError):
            self.trouble = (
                f"The energy counters in {folder} cannot be read: be root, or chmod a+r its energy_uj."
            )

    def joules(self) -> float | None:
        """What was used so far; None where it cannot be read."""
        if self.trouble:
            return None
        for package, before in self._last.items():
            now = _number(package / "energy_uj")
            self._joules += (now - before + (self._ranges[package] if now < before else 0)) / 1e6
            self._last[package] = now
        return self._joules


def _number(file: Path) -> int:
    return int(file.read_text("ascii"))
