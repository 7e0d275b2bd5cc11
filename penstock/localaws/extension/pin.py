"""The MiniStack version the hooks were written against: they reach into private functions, so another is refused."""

from importlib.metadata import version

from penstock.errors import PenstockError

CHECKED_ON = "1.5.33"


class WrongMiniStack(PenstockError):
    """The installed MiniStack is not the one a hook was checked on."""


def require(hook: str, checked_on: str = CHECKED_ON) -> None:
    """Refuse to install `hook` (a module's __name__) on any other MiniStack than `checked_on`."""
    installed = version("ministack")
    if installed != checked_on:
        raise WrongMiniStack(
            hook,
            f"MiniStack {installed} is installed, this hook was checked on {checked_on}",
            f"Install ministack=={checked_on}, or check the hook against the new version and raise the pin.",
        )
