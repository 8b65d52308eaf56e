"""systemd, through systemctl's machine-readable output."""

from __future__ import annotations

from dexsetup.errors import HostError
from dexsetup.host.base import Completed, UnitState
from dexsetup.host.packages import CommandRunner

__all__ = ["Systemd"]

_PROPERTIES = "LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus"
_ENABLED = frozenset({"enabled", "enabled-runtime", "alias", "static", "indirect", "generated"})
_ACTIVE = frozenset({"active", "reloading"})
_SECONDS = 180.0


class Systemd:
    """The service manager of nearly every machine."""

    name = "systemd"
    survives_reboot = True
    is_live = True

    def __init__(self, run: CommandRunner) -> None:
        self._run = run

    def state(self, unit: str) -> UnitState:
        """Ask for the unit's properties. One that failed brings its last log lines."""
        shown = self._run(["systemctl", "show", "--property", _PROPERTIES, "--", unit], timeout=20)
        if shown.status != 0:
            # Of a unit that there is not, systemctl says so and succeeds: this one could not ask.
            raise HostError(
                f"systemd does not say how {unit} is.",
                why=shown.stderr.strip(),
                advice=f"systemctl status {unit}",
            )
        values = dict(line.partition("=")[::2] for line in shown.stdout.splitlines())
        active, sub = values.get("ActiveState", ""), values.get("SubState", "")
        detail = "activating" if active == "activating" and sub != "auto-restart" else sub or active
        if active == "failed" or sub == "auto-restart":
            detail = self._last_words(unit) or f"{sub}: {values.get('Result', '')}"
        return UnitState(
            exists=values.get("LoadState") == "loaded",
            enabled=values.get("UnitFileState") in _ENABLED,
            active=active in _ACTIVE,
            detail=detail,
        )

    def _last_words(self, unit: str) -> str:
        argv = ["journalctl", "--unit", unit, "--lines", "8", "--output", "cat", "--no-pager", "--quiet"]
        lines = [line.strip() for line in self._run(argv, timeout=20).stdout.splitlines()]
        telling = [
            line
            for line in lines
            if line and not line.startswith((unit, "Started ", "Starting ", "Stopped "))
        ]
        return "\n".join(telling[-3:])

    def reload_definitions(self) -> None:
        """Let it read the unit files again."""
        self._change("daemon-reload")

    def enable(self, unit: str) -> None:
        """Start it with the machine."""
        self._change("enable", unit)

    def disable(self, unit: str) -> None:
        """Do not start it with the machine."""
        self._change("disable", unit)

    def start(self, unit: str) -> None:
        """Start it now, also if it failed too often before."""
        self._run(["systemctl", "reset-failed", "--", unit], timeout=20)
        self._change("start", unit)

    def stop(self, unit: str) -> None:
        """Stop it now."""
        self._change("stop", unit)

    def restart(self, unit: str) -> None:
        """Stop and start it."""
        self._run(["systemctl", "reset-failed", "--", unit], timeout=20)
        self._change("restart", unit)

    def reload(self, unit: str) -> None:
        """Let it read its configuration again, as its unit says."""
        self._change("reload-or-restart", unit)

    def _change(self, verb: str, *units: str) -> Completed:
        done = self._run(["systemctl", "--quiet", "--no-ask-password", verb, *units], timeout=_SECONDS)
        if done.status != 0:
            words = (
                self._last_words(units[0])
                if units and verb in {"start", "restart", "reload-or-restart"}
                else ""
            )
            raise HostError(
                f"systemctl {verb} {' '.join(units)} failed.".replace("  ", " "),
                why="\n".join(part for part in (done.stderr.strip(), words) if part),
                advice=f"journalctl -u {units[0]}" if units else "",
            )
        return done
