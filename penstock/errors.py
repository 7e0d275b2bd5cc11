"""Errors of the command line and the embedded AWS: each says where, what, and what to do next."""


class PenstockError(Exception):
    """An error for a person: where it happened, what happened, and what to do next."""

    def __init__(self, where: str, what: str, do_next: str) -> None:
        super().__init__(f"{where}: {what}. {do_next}")
        self.where = where
        self.what = what
        self.do_next = do_next
