"""A part of the server with a life of its own."""


class Part:
    """Something that lives as long as the server: started once requests are answered, stopped before state is saved."""

    def start(self) -> None:
        """Begin; may block, runs in a thread of its own."""

    def stop(self) -> None:
        """End; may block, runs off the event loop."""
